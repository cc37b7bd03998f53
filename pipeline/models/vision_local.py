"""Captions by a model in this process: any image-text-to-text model that transformers knows.

SmolVLM, Qwen-VL, InternVL, LLaVA and their like differ in their tokens for pictures and in how
they cut pictures up; their processors know. What they share is used here: a chat template, lists
of pictures per prompt, and batches padded on the left, so that every reply starts at the same
place. Frames are given as pictures, never as a video, so a family's video processor, and the
package that only it needs, is not asked for.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import FootnoteError, ModelUnavailable
from pipeline.models.replies import answer_of
from pipeline.models.vision_pictures import pictures_of
from pipeline.settings import Settings
from pipeline.types import CaptionRequest, Deliver, Reply

# Requests in one batch: a GPU is not full with less, a CPU is with one.
_ON_GPU, _ON_CPU = 8, 1
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


class TransformersCaptioner:
    """Greedy, in bfloat16 on a GPU; without one in float32, on as many threads as torch has.

    `width` requests make one batch; a batch that does not fit the memory is halved, and so are
    all later ones. Two threads that call overlap: the pictures of one are prepared while the model
    works for the other. On a CPU a request gets the same reply whatever else is in its batch; in
    bfloat16 that holds but for near ties.
    """

    def __init__(self, model: str, settings: Settings) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        self.name = f"transformers:{model}"
        folder = hub_folder(model)
        with unusable(f"the caption model {model}"):
            import torch
            from transformers import AutoModelForImageTextToText

            quiet_transformers()
            gpu = torch.cuda.is_available()
            self._processor = _load_processor(folder)
            self._template = _chat_template(self._processor, model)
            self._model = AutoModelForImageTextToText.from_pretrained(
                str(folder), dtype=torch.bfloat16 if gpu else torch.float32, local_files_only=True
            )
            self._model = self._model.to("cuda" if gpu else "cpu").eval()
        tokenizer = self._processor.tokenizer
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._marks = _marks(self._processor)
        self.width = settings.caption_batch or (_ON_GPU if gpu else _ON_CPU)
        self._preparing, self._generating = threading.Lock(), threading.Lock()

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        """One reply per request, in order; see `Captioner`. A batch at a time is delivered."""
        replies: dict[int, Reply] = {}
        waiting = _alike(requests)
        while waiting:
            batch = _batch(waiting, requests, self.width)
            made = self._fitting([requests[at] for at in batch])
            if made is None:
                self._shrink(len(batch), len(requests[batch[0]].images))
                continue
            waiting = waiting[len(batch) :]
            for at, reply in zip(batch, made, strict=True):
                replies[at] = reply
                if deliver:
                    deliver(at, reply)
        return [replies[at] for at in range(len(requests))]

    def _fitting(self, requests: Sequence[CaptionRequest]) -> list[Reply] | None:
        """Their replies; None when the memory does not hold them at once."""
        try:
            return self._replies(requests)
        except FootnoteError:
            raise
        except Exception as error:  # processors and models raise whatever they do
            if not _is_memory(error):
                first = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise ModelUnavailable(
                    f"the caption model {self.name} cannot describe these pictures: {first}",
                    "choose another FOOTNOTE_CAPTION_MODEL",
                ) from error
        return None  # not inside the handler, whose traceback keeps the tensors alive

    def _shrink(self, size: int, images: int) -> None:
        """Halve the batch of `size`, or raise where there is nothing to halve."""
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if size == 1:
            raise ModelUnavailable(
                f"the caption model {self.name} runs out of memory over {images} pictures",
                "choose a smaller FOOTNOTE_CAPTION_MODEL, or fewer pictures "
                "(FOOTNOTE_MAX_KEY_FRAMES_PER_SHOT)",
            )
        self.width = min(self.width, size // 2)

    def _replies(self, requests: Sequence[CaptionRequest]) -> list[Reply]:
        import torch

        with self._preparing:
            inputs = self._inputs(requests)
            asked = inputs["attention_mask"].sum(dim=1).tolist()
        most = max(request.max_tokens for request in requests)
        with self._generating, torch.inference_mode():
            tokens = self._model.generate(
                **inputs,
                max_new_tokens=most,
                do_sample=False,
                pad_token_id=self._processor.tokenizer.pad_token_id,
            )
        said = tokens[:, inputs["input_ids"].shape[1] :].tolist()
        return [
            self._reply(row[: request.max_tokens], count)
            for row, request, count in zip(said, requests, asked, strict=True)
        ]

    def _inputs(self, requests: Sequence[CaptionRequest]) -> Any:
        """Tensors on the model's device, (n, longest prompt), padded on the left."""
        prompts = [self._prompt(request) for request in requests]
        pictures = [pictures_of(request) for request in requests]
        start = self._processor.tokenizer.bos_token
        return self._processor(
            text=prompts,
            images=pictures if pictures[0] else None,
            padding=True,
            padding_side="left",
            # A template that writes the first token leaves none to be added.
            add_special_tokens=not (start and prompts[0].startswith(start)),
            return_tensors="pt",
        ).to(self._model.device, dtype=self._model.dtype)

    def _prompt(self, request: CaptionRequest) -> str:
        text = request.prompt
        for mark in self._marks:  # what a video says must not pass for a picture or a turn
            text = text.replace(mark, " ")
        content = [{"type": "image"} for _ in request.images] + [{"type": "text", "text": text}]
        prompt: str = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=self._template,
            add_generation_prompt=True,
        )
        return prompt

    def _reply(self, row: list[int], asked: int) -> Reply:
        ends = self._model.generation_config.eos_token_id
        ends = set(ends) if isinstance(ends, list) else {ends}
        end = next((at for at, token in enumerate(row) if token in ends), None)
        said = row if end is None else row[: end + 1]
        text = self._processor.tokenizer.decode(said, skip_special_tokens=True)
        return Reply(answer_of(text), int(asked), len(said), cut=end is None)


def _is_memory(error: Exception) -> bool:
    """Whether memory ran out: torch says so with a RuntimeError, its own or a plain one."""
    if isinstance(error, MemoryError):
        return True
    told = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in told for part in _OUT_OF_MEMORY)


# ---------------------------------------------------------------- batches


def _alike(requests: Sequence[CaptionRequest]) -> list[int]:
    """Places of the requests, those of like length together: a batch is padded to its longest."""
    return sorted(
        range(len(requests)), key=lambda at: (len(requests[at].images), len(requests[at].prompt))
    )


def _batch(waiting: Sequence[int], requests: Sequence[CaptionRequest], width: int) -> list[int]:
    """The next at most `width`, all with pictures or all without: processors take no mixture."""
    pictured = bool(requests[waiting[0]].images)
    return [at for at in waiting[:width] if bool(requests[at].images) == pictured]


# ---------------------------------------------------------------- processors


def _load_processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(str(folder), local_files_only=True)
    except (ImportError, ValueError) as error:
        if "torchvision" not in str(error).lower():
            raise
        processor = _without_videos(folder)
    if getattr(processor, "image_processor", None) is None:
        raise ModelUnavailable(
            f"the model in {folder} takes no pictures", "choose an image-text-to-text model"
        )
    return processor


def _without_videos(folder: Path) -> Any:
    """The processor of a family that also takes videos, where torchvision is missing.

    transformers makes it of its parts, and one of them, which reads videos, cannot be made. An
    empty one takes its place; nothing asks it for more than its settings.
    """
    import inspect
    from types import SimpleNamespace

    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    options: dict[str, Any] = {"local_files_only": True}
    made_by = PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(str(folder), **options))]
    stored, _ = made_by.get_processor_dict(str(folder), **options)
    parts = {
        "image_processor": AutoImageProcessor.from_pretrained(str(folder), **options),
        "tokenizer": AutoTokenizer.from_pretrained(str(folder), **options),
        "video_processor": SimpleNamespace(num_frames=0, fps=0, model_input_names=[]),
    }
    takes = inspect.signature(made_by.__init__).parameters
    taking = {name: value for name, value in stored.items() if name in takes} | parts

    class ForPictures(made_by):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, name: str, part: object) -> object:
            if name == "video_processor":
                return type(part)
            return super().check_argument_for_proper_class(name, part)

    return ForPictures(**taking)


def _chat_template(processor: Any, model: str) -> Any:
    """The processor's template, or its tokenizer's; None lets the processor choose its default."""
    if processor.chat_template is not None:
        return None
    template = getattr(processor.tokenizer, "chat_template", None)
    if template is None:
        raise ModelUnavailable(
            f"the caption model {model} has no chat template: it was not taught to be asked",
            "choose a model that was (often named -Instruct), or add its chat_template.jinja",
        )
    return template


def _marks(processor: Any) -> list[str]:
    """Tokens that mean more than their letters, the longest first."""
    found = {*processor.tokenizer.all_special_tokens}
    found |= {getattr(processor, f"{kind}_token", None) or "" for kind in ("image", "video")}
    return sorted(found - {""}, key=len, reverse=True)
