"""Pictures: what is written is what was given, pixel for pixel, and whole or not at all."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from noether_discover.errors import DataError, OptionError
from noether_discover.video import pictures

BEGINNINGS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def curve(values):
    mean = np.asarray(values, dtype=float)
    return mean, mean - 0.1, mean + 0.1


def frames(count=4, channels=3, height=6, width=5, seed=0):
    """8-bit colours as floats, so that a PNG can hold them exactly."""
    return np.random.default_rng(seed).integers(0, 256, size=(count, channels, height, width)) / 255


def draw(kind, path):
    x = frames()
    maps = np.zeros((2, 4, 6, 5))
    maps[0, :, 1, 1] = 1
    if kind == "horizon":
        arms = {"base": {"mse": curve(range(5)), "ssim": curve(range(5))}, "Noether": {"mse": curve(range(5))}}
        pictures.horizon_plot(path, arms)
    elif kind == "study":
        pictures.study_plot(path, [0, 1, 2, 5, 10], curve(range(5)), curve(range(5)), trained=1)
    elif kind == "contact":
        pictures.contact_sheet(path, {"truth": x, "base": torch.tensor(x)})
    else:
        pictures.cam_sheet(path, x, torch.tensor(maps), maps, np.array([0.9, 0.1]))


@pytest.mark.parametrize("suffix", BEGINNINGS)
@pytest.mark.parametrize("kind", ["horizon", "study", "contact", "cam"])
def test_every_picture_is_written_in_the_format_of_its_suffix_and_nothing_else(kind, suffix, tmp_path):
    draw(kind, tmp_path / f"picture{suffix}")
    assert (tmp_path / f"picture{suffix}").read_bytes().startswith(BEGINNINGS[suffix])
    assert [f.name for f in tmp_path.iterdir()] == [f"picture{suffix}"]


def test_places_and_formats_that_cannot_be_written_give_a_sentence(tmp_path):
    with pytest.raises(OptionError, match=r"\.png, \.pdf, \.svg"):
        draw("contact", tmp_path / "picture.gif")
    with pytest.raises(OptionError, match="choose another place"):
        draw("study", tmp_path / "nowhere" / "picture.png")
    (tmp_path / "picture.png").mkdir()
    with pytest.raises(OptionError, match="choose another place"):
        draw("horizon", tmp_path / "picture.png")
    assert [f.name for f in tmp_path.iterdir()] == ["picture.png"]


def test_pictures_do_not_touch_pyplot():
    """Its state is the user's; the figures here belong to nobody else."""
    assert "pyplot" not in vars(pictures)
    assert all("pyplot" not in str(value) for value in vars(pictures).values() if hasattr(value, "__file__"))
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def found_in(sheet, tile):
    """Whether a tile [h, w, 3] of 8-bit colours is in a sheet, exactly."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, tile.shape)[:, :, 0]
    candidates = np.argwhere((windows[:, :, 0, 0] == tile[0, 0]).all(-1))
    return any(np.array_equal(windows[y, x], tile) for y, x in candidates)


@pytest.mark.parametrize(("channels", "scale"), [(3, 1), (3, 7), (1, 4)])
def test_every_pixel_of_a_contact_sheet_is_a_sharp_square_of_its_colour(channels, scale, tmp_path):
    rows = {"truth": frames(5, channels), "a longer label": frames(5, channels, seed=1)}
    pictures.contact_sheet(tmp_path / "sheet.png", rows, every=2, scale=scale)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))

    def tile(x_CHW):
        large = np.kron(np.broadcast_to(x_CHW, (3, *x_CHW.shape[1:])).transpose(1, 2, 0), np.ones((scale, scale, 1)))
        return np.round(255 * large).astype(np.uint8)

    for x in rows.values():
        assert [found_in(sheet, tile(frame)) for frame in x] == [True, False, True, False, True]


def test_frames_that_leave_the_range_are_cut_off_and_other_shapes_refused(tmp_path):
    path = tmp_path / "sheet.png"
    pictures.contact_sheet(path, {"wild": np.stack([np.full((3, 4, 4), -1.0), np.full((3, 4, 4), 2.0)])})
    with pytest.raises(DataError, match="same frames"):
        pictures.contact_sheet(path, {"truth": frames(4), "base": frames(3)})
    with pytest.raises(DataError, match="missing"):
        pictures.contact_sheet(path, {})
    with pytest.raises(DataError, match="1 or 3 channels"):
        pictures.contact_sheet(path, {"truth": frames(channels=2)})
    with pytest.raises(DataError, match="not finite"):
        pictures.contact_sheet(path, {"base": frames() * np.nan})
    with pytest.raises(DataError, match="belong to the frames"):
        pictures.cam_sheet(path, frames(), np.zeros((2, 4, 6, 5)), np.zeros((2, 3, 6, 5)), np.array([0.9, 0.1]))
    with pytest.raises(DataError, match="no curves"):
        pictures.horizon_plot(path, {"base": {}})


def test_what_raises_a_component_is_vermilion_and_what_lowers_it_blue(tmp_path):
    black = np.zeros((1, 1, 2, 2))
    up, down = np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2, 2))
    up[..., 0, 0], down[..., 1, 1] = 1, 1
    pictures.cam_sheet(tmp_path / "cam.png", black, up, down, np.array([1.0]), scale=20)
    sheet = np.asarray(Image.open(tmp_path / "cam.png").convert("RGB"))
    pale, opaque = 0.35, 0.85

    def colour(hue):
        return np.round(255 * ((1 - opaque) * pale + opaque * hue))

    flat = np.full(3, np.round(255 * pale))
    tile = np.array([[colour(pictures.RAISES), flat], [flat, colour(pictures.LOWERS)]]).astype(np.uint8)
    assert found_in(sheet, np.kron(tile, np.ones((20, 20, 1), dtype=np.uint8)))
