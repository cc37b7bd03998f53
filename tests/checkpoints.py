"""Tiny real checkpoints with random weights, for the code that loads real ones.

Each function writes one into a folder and returns what a user would name. They say nothing
sensible, but they go through the same files, tokenizers, processors and loaders as the models
people use, without a download.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

WORDS = (
    "the", "a", "of", "to", "and", "in", "is", "it", "that", "for", "on", "with", "as", "was",
    "at", "by", "from", "this", "what", "who", "where", "how",
)  # fmt: skip


# Labels of AudioSet that the made sound classifier has.
SOUNDS = ("Speech", "Music", "Applause", "Bark")

# What the made Whispers say, whatever they hear: token by position, prompt included.
SAID = "Hello from the checkpoint."
_WIDTH, _HEADS, _LAYERS, _CONTEXT, _VOCABULARY = 32, 2, 2, 448, 51865


def whisper_checkpoint(folder: Path, sureness: float = 50.0) -> Path:
    """A multilingual Whisper in openai-whisper's format, a .pt file of 7 MB that says `SAID`.

    Its layers add nothing, so that the position alone decides the next token; `sureness` scales
    the logits: at 50 it is certain, at 0.1 it guesses.
    """
    import torch
    from whisper.model import ModelDimensions, Whisper

    audio = (80, 1500, _WIDTH, _HEADS, _LAYERS)
    text = (_VOCABULARY, _CONTEXT, _WIDTH, _HEADS, _LAYERS)
    dims = ModelDimensions(*audio, *text)
    torch.manual_seed(0)
    model = Whisper(dims)
    decoder = model.decoder
    with torch.no_grad():
        decoder.token_embedding.weight[:], decoder.positional_embedding[:] = _tape()
        decoder.ln.weight.fill_(sureness)
        for block in decoder.blocks:
            for last in (block.attn.out, block.cross_attn.out, block.mlp[2]):
                torch.nn.init.zeros_(last.weight)
                torch.nn.init.zeros_(last.bias)
    path = folder / f"tiny-{sureness:g}.pt"
    torch.save({"dims": dims.__dict__, "model_state_dict": model.state_dict()}, path)
    return path


def _tape() -> tuple[Any, Any]:
    """Token embeddings and the positions' embeddings, each position's that of its next token."""
    import torch
    from whisper.tokenizer import get_tokenizer

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="unclosed file .*tiktoken")
        tokenizer = get_tokenizer(multilingual=True, num_languages=99, task="transcribe")
    start = tokenizer.timestamp_begin
    spoken = [start, *tokenizer.encode(" " + SAID), start + 100, tokenizer.eot]
    following = [tokenizer.to_language_token("en"), tokenizer.transcribe, *spoken]
    tokens = torch.randn(_VOCABULARY, _WIDTH)
    tokens -= tokens.mean(1, keepdim=True)  # as the layer norm would
    tokens /= tokens.norm(dim=1, keepdim=True)
    at = torch.tensor([*following, *[tokenizer.eot] * (_CONTEXT - len(following))])
    return tokens, 100 * tokens[at]


def faster_whisper_checkpoint(folder: Path) -> Path:
    """The same model for CTranslate2, with its tokenizer: a folder."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import (
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    torch.manual_seed(0)
    source = folder / "hf-whisper"
    config = WhisperConfig(
        vocab_size=_VOCABULARY,
        d_model=_WIDTH,
        encoder_layers=_LAYERS,
        decoder_layers=_LAYERS,
        encoder_attention_heads=_HEADS,
        decoder_attention_heads=_HEADS,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
    )
    model = WhisperForConditionalGeneration(config)
    decoder = model.model.decoder
    with torch.no_grad():
        decoder.embed_tokens.weight[:], decoder.embed_positions.weight[:] = _tape()
        decoder.layer_norm.weight.fill_(50.0)
        for layer in decoder.layers:
            for last in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                torch.nn.init.zeros_(last.weight)
                torch.nn.init.zeros_(last.bias)
    model.save_pretrained(source)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(source)
    specials = _whisper_specials()
    tokenizer = _whisper_tokenizer(specials)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(source)
    target = folder / "tiny-faster-whisper"
    TransformersConverter(
        str(source), copy_files=["tokenizer.json", "preprocessor_config.json"]
    ).convert(str(target))
    # The converter takes these from the generation config of published checkpoints.
    settings = json.loads((target / "config.json").read_text())
    settings["lang_ids"] = [tokenizer.token_to_id(name) for name in specials[2:101]]
    (target / "config.json").write_text(json.dumps(settings))
    return target


def _whisper_specials() -> list[str]:
    """In the order of their ids, which start after the byte pairs; timestamps not among them."""
    from whisper.tokenizer import LANGUAGES

    languages = [f"<|{code}|>" for code in list(LANGUAGES)[:99]]
    tasks = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    return ["<|endoftext|>", "<|startoftranscript|>", *languages, *(f"<|{t}|>" for t in tasks)]


def _whisper_tokenizer(specials: list[str]) -> Any:
    """openai-whisper's byte pairs, as the `tokenizers` library writes them."""
    import whisper
    from transformers.convert_slow_tokenizer import TikTokenConverter

    pairs = Path(whisper.__file__).parent / "assets" / "multilingual.tiktoken"
    return TikTokenConverter(vocab_file=str(pairs), extra_special_tokens=specials).converted()


def clip(folder: Path, seed: int = 0) -> Path:
    """A CLIP of two small towers and 16 dimensions, with its image processor: a folder."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(seed)
    tokenizer = word_tokenizer(["<end>"])
    tokenizer.model_max_length = 12
    end = tokenizer.convert_tokens_to_ids("<end>")  # the greatest id, as in published ones
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", end)]
    )
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    special = {"bos_token_id": 0, "eos_token_id": end, "pad_token_id": 0}
    text = {**tower, **special, "vocab_size": len(tokenizer), "max_position_embeddings": 12}
    vision = {**tower, "image_size": 32, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    target = folder / f"tiny-clip-{seed}"
    CLIPModel(config).save_pretrained(target)
    CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def siglip(folder: Path) -> Path:
    """A SigLIP of two small towers and 32 dimensions, with its image processor: a folder."""
    import torch
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    torch.manual_seed(0)
    tokenizer = word_tokenizer([])
    tokenizer.model_max_length = 12
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text = {**tower, "vocab_size": len(tokenizer), "max_position_embeddings": 12}
    config = SiglipConfig(
        text_config={**text, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0},
        vision_config={**tower, "image_size": 32, "patch_size": 8},
    )
    target = folder / "tiny-siglip"
    SiglipModel(config).save_pretrained(target)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def ast_classifier(folder: Path, labels: tuple[str, ...] = SOUNDS) -> Path:
    """An Audio Spectrogram Transformer of two layers that hears half a second: a folder."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_length=48,
        num_mel_bins=32,
        id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
    )
    target = folder / f"tiny-ast-{len(labels)}"
    ASTForAudioClassification(config).save_pretrained(target)
    ASTFeatureExtractor(num_mel_bins=32, max_length=48).save_pretrained(target)
    return target


def wav2vec2_classifier(folder: Path, rate: int = 16_000) -> Path:
    """A wav2vec 2 of two layers that tells "dog" from "cat": a folder."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForSequenceClassification,
    )

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16, 16),
        conv_stride=(10, 10),
        conv_kernel=(10, 10),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=16,
        id2label={0: "dog", 1: "cat"},
        label2id={"dog": 0, "cat": 1},
    )
    target = folder / f"tiny-wav2vec2-{rate}"
    Wav2Vec2ForSequenceClassification(config).save_pretrained(target)
    Wav2Vec2FeatureExtractor(sampling_rate=rate).save_pretrained(target)
    return target


def causal_language_model(folder: Path) -> Path:
    """A two-layer Llama with a chat template: a folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = word_tokenizer([])
    tokenizer.chat_template = _CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    target = folder / "tiny-llama"
    LlamaForCausalLM(config).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


_CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m.role }} : {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)


def word_tokenizer(specials: list[str], **named: str) -> Any:
    """Whole words; every token but the special ones decodes to a word. `named` are those special
    ones that a processor asks the tokenizer for by an attribute."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<unk>", "</s>", "user", "system", "assistant", ":", *WORDS]
    tokenizer = Tokenizer(WordLevel({w: at for at, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="</s>",
        extra_special_tokens=named,
    )
    made.add_special_tokens({"extra_special_tokens": specials})
    return made


def sentence_transformer(folder: Path) -> Path:
    """A two-layer BERT of 16 dimensions with mean pooling and 32 tokens: a folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertModel

    torch.manual_seed(0)
    encoder = folder / "encoder"
    BertModel(_tiny_bert(encoder)).save_pretrained(encoder)
    words = Transformer(str(encoder), max_seq_length=32)
    model = SentenceTransformer(modules=[words, Pooling(words.get_embedding_dimension())])
    target = folder / "tiny-sentences"
    model.save(str(target))
    return target


def cross_encoder(folder: Path, labels: int = 1) -> Path:
    """A two-layer BERT that scores a pair of texts of 64 tokens: a folder, as on the hub."""
    import torch
    from transformers import BertForSequenceClassification

    torch.manual_seed(0)
    target = folder / f"tiny-cross-encoder-{labels}"
    config = _tiny_bert(target)
    config.num_labels = labels
    config.initializer_range = 1.0  # so that different texts get different scores
    BertForSequenceClassification(config).save_pretrained(target)
    return target


def _tiny_bert(folder: Path) -> Any:
    """The configuration of a two-layer BERT, whose tokenizer is written into `folder`."""
    from transformers import BertConfig, BertTokenizerFast

    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    vocabulary += [chr(letter) for letter in range(ord("a"), ord("z") + 1) if chr(letter) != "a"]
    vocabulary += ["##" + chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
