"""JSON log lines as the records that they were: read from files, checked, delivered, and remembered as shipped.

One file a stage, in the order that a line meets them: `inputs` (which files), `opened` (one file, packed or not),
`lines` (one line, bounded), `records` (what it says), `delivery` (the package's own road), `positions` (what has
arrived, on disk), with `rejects`, `progress` and `stopping` beside them. `shipment` alone knows the order.
"""
