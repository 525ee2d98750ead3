"""What the JSON API answers, as types: the answers are made of them, and the OpenAPI document is made from them."""
