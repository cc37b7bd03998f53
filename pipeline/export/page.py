"""An answer, or a video's text, as a page that stands alone and can be mailed.

It shows what the answer says, every quote under it with a picture of the moment, and links that
open the video at the second: a file where it lies here, the web page of a video that has none.
The page itself loads nothing: pictures are in it (see `answer.page`).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from pipeline.answer import page
from pipeline.answer.cite import link
from pipeline.answer.evidence import as_lines
from pipeline.answer.page import escaped
from pipeline.answer.saved import Saved
from pipeline.types import HOW, Citation, Segment, SummarySentence, TitledSpan, Video

# (video id, seconds) -> JPEG of about then, None where there is none
PictureAt = Callable[[str, float], Path | None]

PICTURES = 60  # in a page at most: it is meant to be mailed
_SIDE = 320  # pixels of the long side
_QUALITY = 72
_PARAGRAPH = 30.0  # seconds of talk that stand together
_STYLE = """
.answer { font-size: 1.12rem; }
.answer p { margin-bottom: .7rem; }
.beside { display: flex; gap: 1rem; align-items: flex-start; }
.beside img { flex: none; width: 9.5rem; margin-top: .2rem; }
.beside > div { flex: 1; min-width: 0; align-self: baseline; }
.date { white-space: nowrap; }
.source { margin-bottom: 1.1rem; padding-left: .2rem; }
.source strong, .source q, .source .by { display: block; }
.source q { margin: .15rem 0; font-size: 1.05em; }
img { height: auto; border-radius: 4px; display: block; }
.chapters { list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); font-size: .9rem;
  font-family: system-ui, "DejaVu Sans", sans-serif; line-height: 1.35; }
.chapters img { width: 100%; margin-bottom: .3rem; }
.said { display: grid; grid-template-columns: 4.2rem 1fr; gap: .2rem .8rem; margin: 0 0 .7rem; }
.said a, .said > span { font-family: system-ui, "DejaVu Sans", sans-serif; font-size: .85rem;
  padding-top: .2rem; }
.said p { margin: 0; }
.kind { color: var(--dim); font-size: .85em; }
@media (max-width: 32rem) {
  body { padding: 1.2rem 1rem 3rem; }
  .beside { gap: .7rem; }
  .beside img { width: 6.2rem; }
  .said { grid-template-columns: 1fr; gap: 0; }
  ol.sources { padding-left: 1.7rem; }
}
@media print { img { break-inside: avoid; } }
"""


def answer_page(saved: Saved, videos: Mapping[str, Video], picture_at: PictureAt) -> str:
    """The question, the answer with its markers, and its sources. `videos` are those cited."""
    backs: dict[int, str] = {}
    for place, sentence in enumerate(saved.sentences, 1):
        for marker in sentence.citations:
            backs.setdefault(marker, str(place))
    body = ['<div class="answer">']
    if saved.sentences:
        lines = [page.told(s, str(place)) for place, s in enumerate(saved.sentences, 1)]
        apart = "\n" in (saved.written or "") or saved.written is None
        body.append("".join(f"<p>{line}</p>" for line in lines) if apart else _paragraph(lines))
    else:
        body.append(f"<p>{escaped(saved.written or '')}</p>")
    body.append("</div>")
    if saved.citations:
        body.append('<h2 id="sources">Sources</h2>\n<ol class="sources">')
        for number, cited in enumerate(saved.citations):
            shown = picture_at(cited.video_id, (cited.start + cited.end) / 2)
            picture = _img(shown, cited.title) if number < PICTURES else ""
            body.append(_source(cited, videos, backs.get(cited.marker, ""), picture))
        body.append("</ol>")
    body.append(_footer("Each sentence was checked against the words that it cites."))
    language = next((v.language for v in videos.values() if v.language), "")
    return page.document(saved.subject, "\n".join(body), language, _STYLE, pictures=True)


def video_page(
    video: Video,
    facts: Mapping[str, str],
    summary: Sequence[SummarySentence],
    chapters: Sequence[TitledSpan],
    segments: Sequence[Segment],
    picture_at: PictureAt,
) -> str:
    """What is known of a video, its summary and chapters, and all that is said in it.

    `segments` are those to show, of any source but chapters and summaries, by time.
    """
    told = [f"{name}: {value}" for name, value in facts.items() if value]
    body = [f'<p class="note">{escaped(" · ".join(told))}</p>'] if told else []
    if summary:
        body.append("<h2>Summary</h2>")
        body.append(_paragraph([_summarised(sentence, video) for sentence in summary]))
    if chapters:
        body.append('<h2>Chapters</h2>\n<ul class="chapters">')
        for number, one in enumerate(chapters):
            shown = picture_at(video.video_id, min(one.start + 2.0, one.end))
            picture = _img(shown, one.title) if number < PICTURES else ""
            time = page.timed(one.start, link(video, one.start))
            body.append(f"<li>{picture}{time} {escaped(one.title)}</li>")
        body.append("</ul>")
    if segments:
        body.append("<h2>Transcript</h2>")
        body += [_said(some, video) for some in _together(segments)]
    else:
        body.append('<p class="note">Nothing of it was read yet.</p>')
    body.append(_footer(""))
    return page.document(video.title, "\n".join(body), video.language, _STYLE, pictures=True)


# ---------------------------------------------------------------- parts


def _paragraph(lines: Sequence[str]) -> str:
    return f"<p>{' '.join(lines)}</p>"


def _source(cited: Citation, videos: Mapping[str, Video], back: str, picture: str) -> str:
    """A citation with its picture; its link is made anew, whatever a saved answer says."""
    video = videos.get(cited.video_id)
    time = page.timed(cited.start, link(video, cited.start) if video else "")
    lead = f' <a href="#t{back}" title="Back to the text">↑</a>' if back else ""
    date = f' <span class="date">{escaped(cited.date[:10])}</span>' if cited.date else ""
    how = [HOW.get(cited.source, cited.source), cited.verdict]
    how = [f"{escaped(cited.speaker)}", *how] if cited.speaker else how
    told = (
        f"<div><strong>{escaped(cited.title or cited.video_id)}{date}</strong>"
        f"<q>{escaped(as_lines(cited.quote))}</q>"
        f'<span class="by">{time} · {", ".join(how)}{lead}</span></div>'
    )
    inner = f'<div class="beside">{picture}{told}</div>' if picture else told
    return f'<li class="source" id="c{cited.marker}" value="{cited.marker}">{inner}</li>'


def _summarised(sentence: SummarySentence, video: Video) -> str:
    starts = [place.start for place in sentence.citations]
    times = ", ".join(page.timed(start, link(video, start)) for start in starts)
    return escaped(sentence.text) + (f" <sup>{times}</sup>" if times else "")


def _together(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Talk of one speaker in paragraphs; everything else by itself."""
    groups: list[list[Segment]] = []
    for segment in segments:
        last = groups[-1] if groups else []
        goes_on = (
            last
            and segment.source == last[0].source == "speech"
            and segment.speaker in ("", last[0].speaker)
            and segment.end - last[0].start <= _PARAGRAPH
        )
        if goes_on:
            last.append(segment)
        else:
            groups.append([segment])
    return groups


def _said(group: Sequence[Segment], video: Video) -> str:
    first = group[0]
    time = page.timed(first.start, link(video, first.start))
    time = time if time.startswith("<a") else f"<span>{time}</span>"
    kind = "" if first.source == "speech" else f"{HOW.get(first.source, first.source)}: "
    lead = f'<span class="kind">{escape(kind)}</span>' if kind else ""
    speaker = f"<strong>{escaped(first.speaker)}:</strong> " if first.speaker else ""
    text = " ".join(escaped(as_lines(segment.text)) for segment in group)
    return f'<div class="said">{time}<p>{lead}{speaker}{text}</p></div>'


def _footer(text: str) -> str:
    made = "Made with Footnote."
    return f"<footer>{escape(' '.join(filter(None, (text, made))))}</footer>"


def _img(path: Path | None, title: str) -> str:
    """The picture in the page itself, "" where there is none that can be read."""
    if path is None:
        return ""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            small = opened.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return ""  # a stored frame is gone or damaged: doctor tells; the page is whole without it
    small.thumbnail((_SIDE, _SIDE))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=_QUALITY, optimize=True)
    code = base64.b64encode(data.getvalue()).decode("ascii")
    size = f'width="{small.width}" height="{small.height}"'
    return f'<img src="data:image/jpeg;base64,{code}" {size} alt="{escaped(title)}">'
