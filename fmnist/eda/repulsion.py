"""What pushes the points of a t-SNE apart, for all pairs at once, by way of a regular mesh.

Points are spread over a mesh by cubic B-splines, the mesh is convolved with the kernel
q(d) = 1 / (1 + d^2) by a Fourier transform, and the potential is read back at the points by the
same splines, whose derivative gives the force. (Particle mesh: Hockney and Eastwood, "Computer
Simulation Using Particles", 1988; dividing the transformed kernel by that of the splines makes
the splines interpolate the kernel exactly at the nodes. Linderman et al., "Fast interpolation-based
t-SNE", 2019, is the same idea with polynomials, twelve transforms and wider meshes.)
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

from fmnist.results.eda import Floats

Real = npt.NDArray[np.floating]

# The kernel is 1 wide: with two meshes to that width a force is off by 3 % (root mean square), as
# in openTSNE with its default of three, at an eighth of the time.
SPACING: Final = 0.5
# A layout much smaller than that, as at the start, still gets this many meshes across.
MESHES: Final = 48

_SPLINE: Final = 4  # nodes that a point touches in each direction
_GROWTH: Final = 1.1
_SMALLEST: Final = 1e-9


class Repulsion:
    """The pushes between all points of a layout; keeps the transformed kernel between calls.

    Args:
        threads: for the Fourier transforms.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._side = 0
        self._spacing = 0.0
        self._kernel: Real = np.empty((0, 0))
        self._near: Real = np.empty((0, 0))

    def __call__(self, points: Floats) -> tuple[Floats, float]:
        """Forces and their normalization for points (n, 2) float64.

        Returns:
            (n, 2) float64, the sum over j of (y_i - y_j) q_ij^2, and the sum over all i != j of
            q_ij.
        """
        low = points.min(axis=0)
        extent = max(float(np.ptp(points, axis=0).max()), _SMALLEST)
        spacing = min(SPACING, extent / MESHES)
        nodes = int(extent / spacing) + _SPLINE + 1
        self._fit(nodes, spacing)
        places = ((points - low) / spacing).astype(self._kernel.dtype)
        cells = places.astype(np.int32)
        weights, slopes = _spline(places - cells)
        touched = cells[:, :, None] + np.arange(_SPLINE, dtype=np.int32)
        flat = touched[:, 0, :, None] * np.int32(self._side) + touched[:, 1, None, :]
        masses = weights[:, 0, :, None] * weights[:, 1, None, :]
        density = np.bincount(flat.ravel(), masses.ravel(), nodes * self._side)
        potential = self._convolved(density.astype(self._kernel.dtype).reshape(nodes, self._side))
        near = potential.ravel()[flat]
        across = np.einsum("nij,nj->ni", near, weights[:, 1])
        along = np.einsum("nij,ni->nj", near, weights[:, 0])
        total = np.einsum("ni,ni->", across, weights[:, 0], dtype=np.float64)
        forces = np.stack(
            [
                np.einsum("ni,ni->n", across, slopes[:, 0]),
                np.einsum("nj,nj->n", along, slopes[:, 1]),
            ],
            axis=1,
        )
        # q = 1 / (1 + d^2) has the slope -2 d q^2.
        return forces * (-0.5 / spacing), float(total) - self._own(weights)

    def _own(self, weights: Real) -> float:
        """What the potentials at all points owe to the points themselves: n, but for the mesh."""
        lagged = [
            np.einsum("ndi,ndi->nd", weights[..., : _SPLINE - lag], weights[..., lag:])
            * (2 if lag else 1)
            for lag in range(_SPLINE)
        ]
        overlaps = np.stack(lagged, axis=-1)
        return float(np.sum(overlaps[:, 0].T @ overlaps[:, 1] * self._near))

    def _fit(self, nodes: int, spacing: float) -> None:
        """Have a kernel for a mesh that wide, twice over: the far half keeps copies apart."""
        if self._side >= 2 * nodes and self._spacing == spacing:
            return
        self._spacing = spacing
        self._side = fft.next_fast_len(int(2 * nodes * _GROWTH), real=True)
        ring = np.arange(self._side)
        squares = (np.minimum(ring, self._side - ring) * spacing) ** 2
        kernel = 1 / (1 + squares[:, None] + squares)
        # What the spline's values at the nodes, 1/6, 4/6, 1/6, become under the transform.
        splines = (2 + np.cos(2 * np.pi * ring / self._side)) / 3
        halved = splines[: self._side // 2 + 1]
        transformed = fft.rfft2(kernel, workers=self._threads).real
        transformed /= np.outer(splines, halved) ** 2
        self._near = fft.irfft2(transformed, s=kernel.shape)[:_SPLINE, :_SPLINE]
        # Over a small layout the kernel hardly changes: the forces are in its last digits.
        self._kernel = transformed.astype(np.float32 if spacing == SPACING else np.float64)

    def _convolved(self, density: Real) -> Real:
        shape = (self._side, self._side)
        transformed = fft.rfft2(density, s=shape, workers=self._threads)
        transformed *= self._kernel
        potential: Real = fft.irfft2(transformed, s=shape, workers=self._threads, overwrite_x=True)
        return potential


def _spline(right: Real) -> tuple[Real, Real]:
    """The cubic B-spline's weights and slopes, each (..., 4), `right` of the second node."""
    left = 1 - right
    weights = [
        left**3 / 6,
        2 / 3 - right * right * (1 - right / 2),
        2 / 3 - left * left * (1 - left / 2),
        right**3 / 6,
    ]
    slopes = [
        -left * left / 2,
        right * (1.5 * right - 2),
        -left * (1.5 * left - 2),
        right * right / 2,
    ]
    return np.stack(weights, axis=-1), np.stack(slopes, axis=-1)
