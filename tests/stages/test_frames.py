"""The bytes of a spool's segment: whole frames are found, whatever lies between them."""

from __future__ import annotations

import pytest

from raindrop_logging._pipeline.frames import (
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    PREAMBLE,
    Frame,
    Scanner,
    encode,
    is_foreign,
    mark_of,
)

OWNER = "4711-0123456789abcdef"
MARK = mark_of(OWNER, "events-00000001.seg")


def _bytes_of(*frames: Frame) -> bytes:
    return b"".join(encode(MARK, one.kind, one.ident, one.payload) for one in frames)


def _found(data: bytes, *, last: bool = True) -> list[Frame]:
    return Scanner(MARK).scan(data, last=last).frames


FIRST, SECOND, THIRD = Frame(1, 7, b"first"), Frame(255, (1 << 128) - 1, b""), Frame(0, 0, b"third" * 100)


def test_frames_come_out_as_they_went_in() -> None:
    """Kind, ident and payload at their limits, in order, behind the preamble."""
    assert _found(PREAMBLE + _bytes_of(FIRST, SECOND, THIRD)) == [FIRST, SECOND, THIRD]


def test_a_frame_takes_its_payload_and_a_fixed_header() -> None:
    """What a frame says of its size is what it takes."""
    assert len(_bytes_of(THIRD)) == THIRD.nbytes == HEADER_BYTES + 500 == 529


@pytest.mark.parametrize("at", range(FIRST.nbytes))
def test_a_flipped_bit_anywhere_costs_its_own_frame_only(at: int) -> None:
    """Mark, kind, ident, length, checksum or payload: the frame is skipped and its neighbours are found."""
    for bit in range(8):
        data = bytearray(PREAMBLE + _bytes_of(SECOND, FIRST, THIRD))
        data[len(PREAMBLE) + SECOND.nbytes + at] ^= 1 << bit
        scanner = Scanner(MARK)
        assert scanner.scan(bytes(data), last=True).frames == [SECOND, THIRD]
        assert scanner.damaged == 1


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("kept", range(1, FIRST.nbytes))
def test_a_torn_frame_before_others_is_skipped_at_any_byte(kept: int, last: bool) -> None:
    """A write that was cut short and went on behind: even in a file that is being written, what follows proves it."""
    scanner = Scanner(MARK)
    data = _bytes_of(SECOND) + _bytes_of(THIRD)[:kept] + _bytes_of(FIRST)
    scan = scanner.scan(data, last=last)
    assert (scan.frames, scan.consumed) == ([SECOND, FIRST], len(data))
    assert scanner.damaged == 1


@pytest.mark.parametrize("kept", range(1, FIRST.nbytes))
def test_a_frame_that_is_still_being_written_is_waited_for(kept: int) -> None:
    """At the open end of a file it is neither found nor damage, and its beginning is read again with the rest."""
    scanner = Scanner(MARK)
    data = _bytes_of(SECOND, FIRST)
    scan = scanner.scan(data[: SECOND.nbytes + kept], last=False)
    assert (scan.frames, scan.dry, scanner.damaged) == ([SECOND], True, 0)
    assert scanner.scan(data[scan.consumed :], last=False).frames == [FIRST]
    assert scanner.damaged == 0


@pytest.mark.parametrize("kept", range(1, FIRST.nbytes))
def test_a_frame_that_will_never_be_whole_is_damage(kept: int) -> None:
    """At the end of a file that nobody writes any more, once."""
    scanner = Scanner(MARK)
    assert scanner.scan(_bytes_of(SECOND) + _bytes_of(FIRST)[:kept], last=True).frames == [SECOND]
    assert scanner.damaged == 1


def test_a_length_that_points_beyond_the_end_hides_nothing() -> None:
    """Damage that makes a frame seem to go on for ever does not swallow the frames behind it."""
    data = bytearray(_bytes_of(FIRST, SECOND, THIRD))
    data[4 + 1 + 16 + 1] = 0xF0  # of the length's four bytes the second: 15 MiB and more, which is allowed
    assert _found(bytes(data), last=False) == [SECOND, THIRD]


def test_a_length_that_no_frame_has_is_not_waited_for() -> None:
    """Where it is the last of a file that is being written, it is damage at once."""
    data = bytearray(_bytes_of(FIRST, THIRD))
    data[FIRST.nbytes + 4 + 1 + 16] = 0x01  # 16 MiB and the payload
    scanner = Scanner(MARK)
    assert scanner.scan(bytes(data), last=False).frames == [FIRST]
    assert scanner.damaged == 1


def test_a_zeroed_region_counts_once_however_it_is_read() -> None:
    """A hole that a file system left is one region, also where it is met in several pieces."""
    data = _bytes_of(FIRST) + bytes(10_000) + _bytes_of(THIRD)
    scanner, found, start = Scanner(MARK), [], 0
    for end in range(2_000, 14_000, 2_000):
        scan = scanner.scan(data[start:end], last=end >= len(data))
        found += scan.frames
        start += scan.consumed
    assert (found, scanner.damaged) == ([FIRST, THIRD], 1)


@pytest.mark.parametrize("kept", range(len(PREAMBLE) + 1))
def test_a_preamble_that_is_being_written_is_waited_for(kept: int) -> None:
    """A segment that was opened a moment ago is not damaged, and its first frame is found."""
    scanner = Scanner(MARK)
    scan = scanner.scan(PREAMBLE[:kept], last=False)
    rest = (PREAMBLE + _bytes_of(FIRST))[scan.consumed :]
    assert (scan.frames, scanner.scan(rest, last=True).frames) == ([], [FIRST])
    assert scanner.damaged == 0


def test_a_scan_ends_when_it_has_enough() -> None:
    """The frame that reaches the limit is the last; the next scan goes on behind it."""
    data = _bytes_of(FIRST, SECOND, THIRD)
    scan = Scanner(MARK).scan(data, last=True, most=FIRST.nbytes + 1)
    assert (scan.frames, scan.dry) == ([FIRST, SECOND], False)
    assert _found(data[scan.consumed :]) == [THIRD]


def test_a_scan_says_how_much_it_lacks() -> None:
    """Reading so many bytes from where it stopped makes the next frame whole."""
    data = _bytes_of(FIRST, THIRD)
    scan = Scanner(MARK).scan(data[: FIRST.nbytes + HEADER_BYTES], last=False)
    assert (scan.consumed, scan.wanted) == (FIRST.nbytes, THIRD.nbytes)


def test_what_somebody_logged_of_a_spool_is_never_taken_for_frames() -> None:
    """A payload that holds a segment of any spool is one payload, and nothing at all once its own frame is torn."""
    others = (mark_of("4712-0123456789abcdef", "events-00000001.seg"), mark_of(OWNER, "events-00000002.seg"))
    copied = PREAMBLE + b"".join(encode(mark, 1, 1, b"not of this segment") for mark in others) + b"."
    whole = _bytes_of(Frame(1, 9, copied))
    assert [frame.payload for frame in _found(whole)] == [copied]
    assert _found(whole[:-1] + _bytes_of(FIRST)) == [FIRST]


def test_a_payload_may_be_as_large_as_the_limit() -> None:
    """16 MiB come back whole."""
    (frame,) = _found(_bytes_of(Frame(1, 1, bytes(MAX_PAYLOAD_BYTES))))
    assert len(frame.payload) == MAX_PAYLOAD_BYTES


def test_a_segment_names_the_version_of_its_format() -> None:
    """Another version is foreign; a preamble that is cut, damaged or empty is not."""
    assert is_foreign(b"raindrop-spool 2\n\x00\x01")
    for opening in (PREAMBLE, PREAMBLE + _bytes_of(FIRST), b"", PREAMBLE[:5], b"\x00" * 40, b"raindrop-spool X\n"):
        assert not is_foreign(opening)
