"""A photograph's labels by what `feedseg export` wrote, without torch and without Feedseg.

    python onnx_segment.py FOLDER photo.jpg "cat, sofa, rug" labels.png

It needs numpy, onnxruntime, pillow and tokenizers.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from PIL import Image, ImageOps
from tokenizers import Tokenizer

folder, photo, words, target = Path(sys.argv[1]), *sys.argv[2:]
about = json.loads((folder / "export.json").read_text(encoding="utf-8"))
tokenizer = Tokenizer.from_file(str(folder / about["text"]["tokenizer"]))
word_graph = InferenceSession(folder / about["text"]["file"])
image_graph = InferenceSession(folder / about["image"]["file"])


def embedding(word: str) -> np.ndarray:
    prompts = tokenizer.encode_batch([template.replace("{}", word) for template in about["text"]["templates"]])
    tokens = {"ids": [prompt.ids for prompt in prompts], "mask": [prompt.attention_mask for prompt in prompts]}
    inputs = {name: np.array(numbers, np.int64) for name, numbers in tokens.items()}
    return np.asarray(word_graph.run(None, inputs)[0])


image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
sizes, multiple = about["image"], about["image"]["multiple"]
scale = min(sizes["short_side"] / min(image.size), sizes["max_long_side"] / max(image.size))
fitted = [max(1, int(side * scale / multiple + 0.5)) * multiple for side in image.size]
pixels = np.asarray(image.resize(fitted, Image.Resampling.BICUBIC), np.float32).transpose(2, 0, 1) / 255
text = np.stack([embedding(word.strip()) for word in words.split(",")])
logits = np.asarray(image_graph.run(None, {"pixels": pixels[None], "text": text})[0])
full = [np.asarray(Image.fromarray(of_word).resize(image.size, Image.Resampling.BILINEAR)) for of_word in logits[0]]
Image.fromarray(np.argmax(full, axis=0).astype(np.uint8)).save(target)
