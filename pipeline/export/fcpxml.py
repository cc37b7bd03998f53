"""Final Cut Pro XML 1.9, which DaVinci Resolve reads too.

Every time is a fraction of a second that falls on a frame (`1001/30000s`). A take of another rate
than the timeline's is conformed, not speeded up. A video without a file becomes a gap with its
markers: the format has no clip without media.
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree as Xml

from pipeline.export.timecode import drops_numbers
from pipeline.export.timeline import Mark, Source, Take, Timeline, one_line

VERSION = "1.9"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
# As the attributes of the format name them (DTD 1.9: conform-rate, sequence).
_RATE_NAMES = {
    Fraction(24000, 1001): "23.98", Fraction(24): "24", Fraction(25): "25",
    Fraction(30000, 1001): "29.97", Fraction(30): "30", Fraction(48): "48", Fraction(50): "50",
    Fraction(60000, 1001): "59.94", Fraction(60): "60",
}  # fmt: skip
_SIZE = (1920, 1080)  # of a timeline of nothing but sound


def fcpxml(timeline: Timeline) -> str:
    """The timeline as text, UTF-8 when it is written."""
    root = Xml.Element("fcpxml", version=VERSION)
    resources = Xml.SubElement(root, "resources")
    names = _Names(resources, timeline)
    event = Xml.SubElement(Xml.SubElement(root, "library"), "event", name=timeline.name)
    project = Xml.SubElement(event, "project", name=timeline.name)
    sequence = Xml.SubElement(
        project,
        "sequence",
        format=names.timeline,
        duration=_time(timeline.frames, timeline.rate),
        tcStart=_time(timeline.origin, timeline.rate),
        tcFormat=_counted(drops_numbers(timeline.rate)),
        audioLayout="stereo",
        audioRate="48k",
    )
    spine = Xml.SubElement(sequence, "spine")
    for take in timeline.takes:
        _add_take(spine, take, timeline, names)
    Xml.indent(root)
    return _HEAD + Xml.tostring(root, encoding="unicode") + "\n"


class _Names:
    """Formats and assets, each written once under an id of its own."""

    def __init__(self, resources: Xml.Element, timeline: Timeline) -> None:
        self._resources = resources
        self._formats: dict[tuple[Fraction, int, int], str] = {}
        self.assets: dict[str, str] = {}
        seen = [t.source.footage for t in timeline.takes if t.source.footage.width]
        size = (seen[0].width, seen[0].height) if seen else _SIZE
        self.timeline = self._format(timeline.rate, *size)
        for take in timeline.takes:
            source = take.source
            if source.path and source.video.video_id not in self.assets:
                self.assets[source.video.video_id] = self._asset(source)

    def _next(self) -> str:
        return f"r{len(self._resources) + 1}"

    def _format(self, rate: Fraction, width: int, height: int) -> str:
        key = (rate, width, height)
        if key not in self._formats:
            self._formats[key] = self._next()
            Xml.SubElement(
                self._resources,
                "format",
                id=self._formats[key],
                frameDuration=_time(1, rate),
                width=str(width),
                height=str(height),
            )
        return self._formats[key]

    def _asset(self, source: Source) -> str:
        facts = source.footage
        pictures = {}
        if facts.rate:
            form = self._format(source.rate, facts.width, facts.height)
            pictures = {"hasVideo": "1", "videoSources": "1", "format": form}
        sound = {}
        if facts.sound_rate:
            rate, channels = str(facts.sound_rate), str(facts.channels)
            sound = {"hasAudio": "1", "audioSources": "1"}
            sound |= {"audioChannels": channels, "audioRate": rate}
        name = self._next()
        common = {
            "id": name,
            "name": one_line(source.name),
            "start": _time(source.first, source.rate),
            "duration": _time(source.frames, source.rate),
        }
        asset = Xml.SubElement(self._resources, "asset", {**common, **pictures, **sound})
        Xml.SubElement(asset, "media-rep", kind="original-media", src=source.address)
        return name


def _add_take(spine: Xml.Element, take: Take, timeline: Timeline, names: _Names) -> None:
    source = take.source
    common = {
        "offset": _time(timeline.origin + take.at, timeline.rate),
        "name": one_line(source.name),
        "start": _time(source.first + take.first, source.rate),
        "duration": _time(take.frames, timeline.rate),
    }
    asset = names.assets.get(source.video.video_id)
    if asset is None:
        clip = Xml.SubElement(spine, "gap", common)
    else:
        counted = {"tcFormat": _counted(source.drop)} if source.footage.rate else {}
        clip = Xml.SubElement(spine, "asset-clip", {"ref": asset, **common, **counted})
        if source.footage.rate and source.rate != timeline.rate:
            rate = _RATE_NAMES[source.rate]
            Xml.SubElement(clip, "conform-rate", scaleEnabled="0", srcFrameRate=rate)
    for mark in take.marks:
        _add_mark(clip, mark, take)


def _add_mark(clip: Xml.Element, mark: Mark, take: Take) -> None:
    place = {
        "start": _time(take.source.first + take.frame_of(mark), take.source.rate),
        "duration": _time(1, take.source.rate),
        "value": one_line(mark.text),
    }
    note = {"note": mark.note} if mark.note else {}
    if mark.chapter:
        Xml.SubElement(clip, "chapter-marker", {**place, "posterOffset": "0s", **note})
    else:
        Xml.SubElement(clip, "marker", {**place, **note})


def _time(frames: int, rate: Fraction) -> str:
    seconds = frames / rate
    whole = seconds.denominator == 1
    return f"{seconds.numerator}s" if whole else f"{seconds.numerator}/{seconds.denominator}s"


def _counted(drop: bool) -> str:
    return "DF" if drop else "NDF"
