"""What becomes a graph: windows and words to logits."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn
from torch.nn.functional import normalize

from feedseg.vision.encode import WindowEncoder
from feedseg.vision.feedback.base import Feedback
from feedseg.vision.onnx.feedback import traced_embeddings
from feedseg.vision.onnx.hosts import traceable
from feedseg.vision.ops import normalised


class WindowGraph(nn.Module):
    """RGB windows in [0, 1], (B, 3, height, width), and unit embeddings (C, E) to cosines on the grid, (B, C, h, w).

    What `EncodedWindow.logits` says, for all windows at once.
    """

    def __init__(self, encoder: WindowEncoder, feedback: Feedback | None) -> None:
        super().__init__()
        self.tower = encoder.tower
        self._encoder = replace(encoder, host=traceable(encoder.host))
        self._feedback = feedback

    def forward(self, pixels: Tensor, text: Tensor) -> Tensor:
        encoder, tower = self._encoder, self.tower
        output = tower.encode(normalised(pixels, tower.mean, tower.std), encoder.host.tapped(len(tower.blocks)))
        output = replace(output, skipped=0 if encoder.sees_class_token else tower.prefix)
        features = None if encoder.proxy is None else encoder.proxy(pixels, output)
        readout = encoder.host.read_out(output, features, encoder.keeps_residual)
        host, project = readout.attention, readout.project
        embedded = project(host.attended)
        if self._feedback is not None:
            rows = host.patch_values.shape[1] if readout.depends_on_patch else 1
            uniform = normalize(project(host.uniform.expand(-1, rows, -1)), dim=-1)
            embedded = traced_embeddings(self._feedback, host, normalize(embedded, dim=-1), uniform, text, project)
        assert host.grid is not None
        return (normalize(embedded, dim=-1) @ text.T).transpose(1, 2).unflatten(-1, host.grid)
