"""Tiny image-text-to-text models of the families people use, with random weights.

As in `tests.checkpoints`: real classes, files, tokenizers and processors, nothing sensible said.
The weights are drawn wide, so that what a model says depends on every picture and every word.
The files are those of published checkpoints: a processor's own, its image processor's, a
tokenizer's and a chat template; a video processor needs torchvision, and nothing is written of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.checkpoints import word_tokenizer

# The spread of the random weights: at the usual 0.02 every prompt gets the same reply.
_SPREAD = 0.3
_SMALL = {"hidden_size": 32, "intermediate_size": 64, "initializer_range": _SPREAD}
_TOWER = {**_SMALL, "num_hidden_layers": 2, "num_attention_heads": 2}
_SIGLIP = {**_TOWER, "image_size": 32, "patch_size": 8, "model_type": "siglip_vision_model"}


def idefics3(folder: Path) -> Path:
    """SmolVLM's first class, which cuts a large picture into tiles: a folder."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration
    from transformers.models.idefics3.image_processing_pil_idefics3 import (
        Idefics3ImageProcessorPil,
    )

    model = Idefics3ForConditionalGeneration
    images = Idefics3ImageProcessorPil(**_TILES)
    return _tiled(folder / "idefics3", Idefics3Config, model, "Idefics3Processor", images)


def smolvlm(folder: Path) -> Path:
    """SmolVLM 2, whose processor also takes videos: a folder."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    model = SmolVLMForConditionalGeneration
    images = SmolVLMImageProcessorPil(**_TILES)
    return _tiled(folder / "smolvlm", SmolVLMConfig, model, "SmolVLMProcessor", images)


_TILES: dict[str, Any] = {
    "size": {"longest_edge": 64},
    "max_image_size": {"longest_edge": 32},
    "do_image_splitting": True,
}


def _tiled(target: Path, config: Any, model: Any, processor: str, images: Any) -> Path:
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    tokenizer = word_tokenizer(
        ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *tiles]
    )
    made = config(
        text_config=_text("llama", tokenizer),
        vision_config={**_TOWER, "image_size": 32, "patch_size": 8},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    target = _saved(target, model, made)
    return _with_processor(target, processor, tokenizer, images, image_seq_len=4)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL, whose pictures keep their shape: a folder."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    vision = {"window_size": 32, "fullatt_block_indexes": [1]}
    model = Qwen2_5_VLForConditionalGeneration
    return _qwen(folder / "qwen2_5_vl", Qwen2_5_VLConfig, model, "Qwen2_5_VLProcessor", vision)


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: a folder."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    vision = {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
    model = Qwen3VLForConditionalGeneration
    return _qwen(folder / "qwen3_vl", Qwen3VLConfig, model, "Qwen3VLProcessor", vision)


def _qwen(
    target: Path, config: Any, model: Any, processor: str, vision: Mapping[str, object]
) -> Path:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    marks = ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>"]
    tokenizer = word_tokenizer(marks)
    start, image, end, video = tokenizer.convert_tokens_to_ids(marks)
    tower = {**_SMALL, "depth": 2, "num_heads": 2, "patch_size": 8, "out_hidden_size": 32}
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]}
    made = config(
        text_config={**_text("", tokenizer), "head_dim": 16, "rope_parameters": rope},
        vision_config={**tower, **vision},
        vision_start_token_id=start,
        vision_end_token_id=end,
        image_token_id=image,
        video_token_id=video,
    )
    images = Qwen2VLImageProcessorPil(
        patch_size=8, size={"shortest_edge": 256, "longest_edge": 2048}
    )
    picture = "<|vision_start|><|image_pad|><|vision_end|>"
    return _with_processor(_saved(target, model, made), processor, tokenizer, images, picture)


def internvl(folder: Path) -> Path:
    """InternVL 3 as transformers has it: a folder."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    marks = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = word_tokenizer([*marks.values()], **marks)
    config = InternVLConfig(
        text_config=_text("qwen2", tokenizer),
        vision_config={**_TOWER, "image_size": 32, "patch_size": 8},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    images = GotOcr2ImageProcessorPil(
        size={"height": 32, "width": 32}, crop_to_patches=True, max_patches=2
    )
    target = _saved(folder / "internvl", InternVLForConditionalGeneration, config)
    return _with_processor(
        target, "InternVLProcessor", tokenizer, images, "<IMG_CONTEXT>", image_seq_length=4
    )


def llava(folder: Path) -> Path:
    """LLaVA 1.5: a folder."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = word_tokenizer(["<image>"])
    config = LlavaConfig(
        text_config=_text("llama", tokenizer),
        vision_config={
            **_TOWER,
            "image_size": 32,
            "patch_size": 8,
            "model_type": "clip_vision_model",
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_layer=-2,
    )
    images = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    target = _saved(folder / "llava", LlavaForConditionalGeneration, config)
    return _with_processor(
        target,
        "LlavaProcessor",
        tokenizer,
        images,
        patch_size=8,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
    )


def llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision, which cuts a picture that is alone, and not those that are several."""
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
        LlavaOnevisionImageProcessorPil,
    )

    tokenizer = word_tokenizer(["<image>", "<video>"])
    image, video = tokenizer.convert_tokens_to_ids(["<image>", "<video>"])
    pinpoints = [[32, 64], [64, 32], [64, 64]]
    config = LlavaOnevisionConfig(
        text_config=_text("qwen2", tokenizer),
        vision_config={**_SIGLIP, "vision_use_head": False},
        image_token_index=image,
        video_token_index=video,
        image_grid_pinpoints=pinpoints,
    )
    images = LlavaOnevisionImageProcessorPil(
        size={"height": 32, "width": 32}, image_grid_pinpoints=pinpoints
    )
    target = _saved(folder / "llava_onevision", LlavaOnevisionForConditionalGeneration, config)
    return _with_processor(
        target,
        "LlavaOnevisionProcessor",
        tokenizer,
        images,
        num_image_tokens=16,
        vision_feature_select_strategy="full",
    )


FAMILIES = {
    made.__name__: made
    for made in (idefics3, qwen2_5_vl, qwen3_vl, internvl, llava, llava_onevision)
}


def _text(kind: str, tokenizer: Any) -> dict[str, Any]:
    """A language model of two layers."""
    return {
        **_TOWER,
        **({"model_type": kind} if kind else {}),
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def _saved(target: Path, model: Any, config: Any) -> Path:
    import torch

    torch.set_num_threads(1)  # in models this small, threads mostly wait for each other
    torch.manual_seed(0)
    model(config).save_pretrained(target)
    return target


def _with_processor(
    target: Path, name: str, tokenizer: Any, images: Any, picture: str = "<image>", **more: object
) -> Path:
    tokenizer.save_pretrained(target)
    images.save_pretrained(target)
    (target / "processor_config.json").write_text(json.dumps({"processor_class": name, **more}))
    (target / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.role }} : {% for part in m.content %}"
        "{% if part.type == 'image' %}" + picture + "{% else %} {{ part.text }}{% endif %}"
        "{% endfor %} {% endfor %}{% if add_generation_prompt %}assistant :{% endif %}"
    )
    return target
