"""Where the windows of a convolution or a pooling lie in an image, as Keras places them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Size, steps, and what is done at the edges.

    Attributes
    ----------
    size, strides, dilation : tuple of int
        Rows, columns.
    same : bool
        Whether the image is padded so that only the strides make it smaller.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    same: bool

    @classmethod
    def read(cls, size, strides, config: Mapping) -> "Window":
        """Read the options of a layer.

        Parameters
        ----------
        size, strides : int or pair of int
        config : mapping
            The layer's, as Keras describes it.

        Returns
        -------
        Window

        Raises
        ------
        ValueError
            If images have channels first, or are padded in a way that is not known here.
        """
        padding = config["padding"]
        if config.get("data_format", "channels_last") != "channels_last":
            raise ValueError("a layer with channels first")
        if padding not in ("same", "valid"):
            raise ValueError(f"padding {padding}")
        dilation = _pair(config.get("dilation_rate", 1))
        return cls(_pair(size), _pair(strides), dilation, padding == "same")

    def result(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return rows and columns of the result for an image of (rows, columns, ...)."""
        if self.same:
            return tuple(-(-n // step) for n, step in zip(shape, self.strides, strict=False))
        sides = zip(shape, self._reach(), self.strides, strict=False)
        return tuple((n - reach) // step + 1 for n, reach, step in sides)

    def options(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return the attributes of the ONNX operator for an image of (rows, columns, ...)."""
        before: tuple[int, ...] = (0, 0)
        after: tuple[int, ...] = (0, 0)
        if self.same:
            sides = zip(shape, self.result(shape), self._reach(), self.strides, strict=False)
            pads = [max((m - 1) * step + reach - n, 0) for n, m, reach, step in sides]
            before = tuple(pad // 2 for pad in pads)
            after = tuple(pad - pad // 2 for pad in pads)
        return {
            "kernel_shape": self.size,
            "strides": self.strides,
            "dilations": self.dilation,
            "pads": (*before, *after),
        }

    def _reach(self) -> tuple[int, ...]:
        """Return how many pixels a window spans."""
        sides = zip(self.size, self.dilation, strict=True)
        return tuple((n - 1) * gap + 1 for n, gap in sides)


def _pair(value) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)
