"""The models that are loaded, and the segmenters made of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from feedseg.segmenter import Segmenter
from feedseg.vision.model import Model


class Pool:
    """Segmenters by model, host and proxy; of each model the weights are loaded once. For one thread."""

    def __init__(self, device: str | None, most: int, forgotten: Callable[[str], None]) -> None:
        """Args: see `Segmenter.load`; how many models at a time; told the name of one that is given up."""
        self._device, self._most, self._forgotten = device, most, forgotten
        self._segmenters: OrderedDict[str, dict[tuple[str, str | None], Segmenter]] = OrderedDict()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The names of the models in memory."""
        return tuple(self._segmenters)

    def segmenter(self, model: str, host: str, proxy: str | None = None) -> Segmenter:
        """The segmenter of a model, a host and a proxy, loaded where it is not yet. Raises FeedsegError."""
        of_model = self._segmenters.get(model)
        if of_model is None:
            while len(self._segmenters) >= self._most:
                name, _ = self._segmenters.popitem(last=False)
                self._forgotten(name)
            found = Segmenter.load(model, host=host, proxy=proxy, device=self._device)
            of_model = self._segmenters[model] = {(host, proxy): found}
        self._segmenters.move_to_end(model)
        if (host, proxy) not in of_model:
            shared: Model = next(iter(of_model.values())).model
            of_model[host, proxy] = Segmenter.load(shared, host=host, proxy=proxy, device=self._device)
        return of_model[host, proxy]
