"""Why some text-aligned models cannot be towers, by transformers' model type. Data only."""

_SEPARATE = "what makes its patches comparable with text is not part of its checkpoint"
_CONVOLUTIONS = "its image encoder ends in convolutions, without an attention that a host could replace"

REFUSED: dict[str, str] = {
    "radio": f"{_SEPARATE}: C-RADIO's SigLIP 2 adaptor is a file of its own, which transformers does not read",
    "dinov3_vit": f"{_SEPARATE}: dino.txt's two blocks and its text encoder are files of Meta's, which transformers "
    "has no class for; as a proxy it can be used",
    "align": _CONVOLUTIONS,
    "clipseg": "it is a CLIP with a trained decoder: take the CLIP itself",
    "blip": "its words and patches meet in a decoder, not in one space",
    "blip-2": "its words and patches meet in a query transformer, not in one space",
    "owlvit": "its patches are aligned by a detection head, not by the last attention",
    "owlv2": "its patches are aligned by a detection head, not by the last attention",
    "groupvit": "its patches are grouped on the way, and the last attention sees groups",
    "flava": "its words and patches meet in a multimodal encoder, not in one space",
    "timm_wrapper": "its encoder is one of timm's, whose blocks differ from model to model",
}
