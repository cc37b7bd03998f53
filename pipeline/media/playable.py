"""What a browser can do with a file, told by its container and codecs alone.

    direct     it plays the file itself
    remux      it plays the pictures, in another container than the file's
    transcode  the pictures have to be made anew
    frames     only the stored key frames can be shown
    none       there is nothing to show

What Chromium, Firefox and Safari all play counts, and H.264 and AAC besides, which every build of
a browser has that was not made without them. The stream made on the fly (`remux`) is a fragmented
MP4; which of a file's streams are copied into it is told here too, so that what is promised is what
is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["direct", "remux", "transcode", "frames", "none"]

STREAM_VIDEO, STREAM_AUDIO = "video/mp4", "audio/mp4"


@dataclass(frozen=True, slots=True)
class Playback:
    """How a browser gets to see a video, and the media type of what it gets."""

    kind: Kind
    mime: str = ""


@dataclass(frozen=True, slots=True)
class _Container:
    """A container that browsers open: its media types, and the codecs that they know in it."""

    video_type: str
    audio_type: str
    video: frozenset[str]
    audio: frozenset[str]


_MP4_VIDEO = frozenset(("h264", "av1", "vp9"))
_MP4_AUDIO = frozenset(("aac", "mp3", "opus", "flac"))
_WEBM_AUDIO = frozenset(("vorbis", "opus"))
_PCM = frozenset(("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"))
_NONE: frozenset[str] = frozenset()

_MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
_MATROSKA = "matroska,webm"
_DIRECT = {
    _MP4: _Container("video/mp4", "audio/mp4", _MP4_VIDEO, _MP4_AUDIO),
    _MATROSKA: _Container(
        "video/webm", "audio/webm", frozenset(("vp8", "vp9", "av1")), _WEBM_AUDIO
    ),
    # Theora is gone from Chromium and Firefox.
    "ogg": _Container("video/ogg", "audio/ogg", _NONE, _WEBM_AUDIO | {"flac"}),
    "mp3": _Container("", "audio/mpeg", _NONE, frozenset(("mp3",))),
    "flac": _Container("", "audio/flac", _NONE, frozenset(("flac",))),
    "wav": _Container("", "audio/wav", _NONE, _PCM),
}
# Media types of files that are handed out as they are for other players than the browser's.
_OTHER_TYPES = {
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "mpeg": "video/mpeg",
    "asf": "video/x-ms-asf",
    "flv": "video/x-flv",
    # A browser guesses how long such a file is, and seeks by the guess.
    "aac": "audio/aac",
}
# Containers that give every picture the time at which it shows. AVI does not.
_TIMED = frozenset((_MP4, _MATROSKA, "mpegts", "flv"))

_COPIED_VIDEO = _MP4_VIDEO
_COPIED_AUDIO = frozenset(("aac", "mp3", "opus"))
_ORDINARY_PIXELS = frozenset(("", "yuv420p", "yuvj420p", "nv12"))
_DEEP_PIXELS = _ORDINARY_PIXELS | {"yuv420p10le"}


def playback(
    media: Mapping[str, Any],
    *,
    there: bool = True,
    frames: bool = False,
    duration: float = 0.0,
    damaged: bool = False,
) -> Playback:
    """How a browser can show the file that `media` (the catalog's facts of it) is about.

    `there`: the file can be read. `frames`: key frames of it are stored. `duration`: seconds that
    were decoded; a file whose header has no duration cannot be sought in as it is. `damaged`: not
    all of it could be decoded, where a browser gives up.
    """
    video = _seen(media)
    decodable = video or any(track.get("codec") for track in media.get("audio") or ())
    if not there or not decodable or media.get("encrypted"):
        return Playback("frames", "image/jpeg") if frames else Playback("none")
    if _is_direct(media) and not damaged and (media.get("duration") or not duration):
        return Playback("direct", media_type(media))
    form = str(media.get("format"))
    copied = not video or (not damaged and copies_video(form, video["codec"], _pixels(video)))
    return Playback("remux" if copied else "transcode", STREAM_VIDEO if video else STREAM_AUDIO)


def media_type(media: Mapping[str, Any]) -> str:
    """The media type of the file itself, whether or not a browser plays it."""
    form = str(media.get("format") or "")
    if form == _MATROSKA and not _is_direct(media):
        return "video/x-matroska" if _seen(media) else "audio/x-matroska"
    if container := _DIRECT.get(form):
        return (container.video_type if _seen(media) else "") or container.audio_type
    return _OTHER_TYPES.get(form, "application/octet-stream")


def copies_video(form: str, codec: str, pixels: str) -> bool:
    """Whether pictures go into the stream as they are; `form` is libav's name of the container."""
    return form in _TIMED and codec in _COPIED_VIDEO and _plays_pixels(codec, pixels)


def copies_audio(form: str, codec: str) -> bool:
    """Whether a sound track goes into the stream as it is."""
    return form in _TIMED and audio_codec(codec) in _COPIED_AUDIO


def audio_codec(name: str) -> str:
    """The codec's own name, for that of one of libav's decoders of it (`mp3float`)."""
    return {"mp3float": "mp3", "libopus": "opus", "libvorbis": "vorbis"}.get(name, name)


def _is_direct(media: Mapping[str, Any]) -> bool:
    container = _DIRECT.get(str(media.get("format") or ""))
    if container is None:
        return False
    audio = media.get("audio") or ()
    if not all(audio_codec(track.get("codec", "")) in container.audio for track in audio):
        return False
    video = media.get("video")
    if not video:
        return True
    return video["codec"] in container.video and _plays_pixels(video["codec"], _pixels(video))


def _seen(media: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The facts of the pictures, None where there are none or nothing here decodes them."""
    video = media.get("video")
    return video if video and video.get("codec") else None


def _pixels(video: Mapping[str, Any]) -> str:
    return str(video.get("pixel_format") or "")


def _plays_pixels(codec: str, pixels: str) -> bool:
    """Ten bits are played where the codec is newer than H.264; other chroma nowhere for sure."""
    return pixels in (_ORDINARY_PIXELS if codec in ("h264", "vp8") else _DEEP_PIXELS)
