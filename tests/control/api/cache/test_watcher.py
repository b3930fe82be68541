"""A watch's queue gives whole frames, a bounded piece at a time."""

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watcher import Watcher


def test_pieces_are_whole_frames_and_no_longer_than_asked_but_for_the_last_frame() -> None:
    watcher = Watcher(Selection(), lambda event, _: b"%d;" % event.revision)
    for revision in range(100, 107):
        stored = StoredObject("ns/a", revision, b"{}", {}, {})
        watcher.deliver(CacheEvent(revision, None, stored, {}))
    assert watcher.take(9) == b"100;101;102;"
    assert watcher.take(1) == b"103;"
    assert watcher.take(1000) == b"104;105;106;"
    assert watcher.take(1000) == b""
