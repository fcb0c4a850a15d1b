"""Measures of video against scikit-image and scipy; statistics against what is known; LPIPS from made-up weights."""

import numpy as np
import pytest
import scipy.stats
import torch
from skimage import metrics as skimage_metrics

from noether_discover.errors import DataError, OptionError
from noether_discover.video import lpips, metrics, statistics

# the same sums in another order; for float32 frames only the answer is rounded, to 6e-8
ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-7}


def frames(*shape, seed=0, dtype=torch.float64):
    return torch.rand(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def blurred(x):
    return torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


# measures of frames


def by_skimage(pred, true, **how):
    return skimage_metrics.structural_similarity(
        pred.double().numpy(), true.double().numpy(), data_range=1, channel_axis=0, use_sample_covariance=False, **how
    )


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize(("channels", "height", "width"), [(3, 32, 32), (1, 11, 24), (3, 40, 17)])
@pytest.mark.parametrize("kind", ["noise", "near", "flat and bright"])
def test_ssim_is_that_of_scikit_image(dtype, channels, height, width, kind):
    true = frames(2, channels, height, width, dtype=dtype)
    noise = frames(2, channels, height, width, seed=1, dtype=dtype)
    if kind == "near":
        noise = (true + 0.1 * (noise - 0.5)).clamp(0, 1)
    if kind == "flat and bright":
        true, noise = 0.99 + 0.01 * true, 0.98 + 0.01 * noise
    found = metrics.ssim(noise, true)
    assert found.dtype == dtype
    for n in range(2):
        expected = by_skimage(noise[n], true[n], gaussian_weights=True, sigma=1.5)
        assert found[n].item() == pytest.approx(expected, abs=ROUNDING[dtype])


@pytest.mark.parametrize(("size", "window"), [(10, 7), (8, 7), (7, 7), (6, 5), (4, 3)])
def test_ssim_of_small_frames_is_that_of_scikit_images_flat_window(size, window):
    true, pred = frames(3, size, size + 9), frames(3, size, size + 9, seed=1)
    assert metrics.ssim(pred, true).item() == pytest.approx(by_skimage(pred, true, win_size=window), abs=1e-12)


def test_mse_and_psnr_are_those_of_scikit_image():
    true, pred = frames(3, 12, 9), frames(3, 12, 9, seed=1)
    assert metrics.mse(pred, true).item() == pytest.approx(
        skimage_metrics.mean_squared_error(pred.numpy(), true.numpy()), rel=1e-12
    )
    assert metrics.psnr(pred, true).item() == pytest.approx(
        skimage_metrics.peak_signal_noise_ratio(true.numpy(), pred.numpy(), data_range=1), rel=1e-12
    )


def test_equal_frames_have_no_error_all_similarity_and_the_ceiling_of_psnr():
    x = frames(2, 5, 3, 16, 16, dtype=torch.float32)
    found = metrics.by_horizon(x, x)
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(("mse", "psnr", "ssim"), (2, 5))
    assert (found["mse"] == 0).all()
    assert (found["psnr"] == metrics.CEILING).all()
    torch.testing.assert_close(found["ssim"], torch.ones(2, 5))


def test_the_ceiling_is_above_every_8_bit_frame_that_differs():
    x = torch.zeros(3, 128, 128, dtype=torch.float64)
    y = x.clone()
    y[0, 5, 5] = 1 / 255
    assert metrics.psnr(x, y) < metrics.CEILING


def test_every_frame_is_measured_alone(monkeypatch):
    x, y = frames(3, 4, 3, 20, 20), frames(3, 4, 3, 20, 20, seed=1)
    whole = metrics.by_horizon(x, y)
    monkeypatch.setattr(metrics, "AT_ONCE", 5 * 400)  # five channels at once, not a multiple of three
    for name, values in metrics.by_horizon(x, y).items():
        torch.testing.assert_close(values, whole[name], rtol=1e-12, atol=1e-14)
        alone = metrics.by_horizon(x[1:2, 2:3], y[1:2, 2:3])[name]
        torch.testing.assert_close(alone[0, 0], whole[name][1, 2], rtol=1e-12, atol=1e-14)


def test_ssim_is_symmetric():
    x, y = frames(4, 3, 16, 16), frames(4, 3, 16, 16, seed=1)
    torch.testing.assert_close(metrics.ssim(x, y), metrics.ssim(y, x), rtol=1e-14, atol=1e-14)


def test_frames_that_are_not_floats_or_not_the_same_are_refused():
    with pytest.raises(DataError, match="Divide 8-bit frames by 255"):
        metrics.mse(torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8))
    with pytest.raises(DataError, match="give the same frames"):
        metrics.ssim(frames(1, 3, 8, 8), frames(3, 8, 8))


def test_a_ramp_has_its_slope_as_sharpness_and_a_moving_one_its_change_as_motion():
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(7.0), indexing="ij")
    ramp = (0.03 * x + 0.04 * y)[None]
    assert metrics.sharpness(ramp).item() == pytest.approx(0.05, rel=1e-5)
    moving = torch.stack([ramp, ramp + 0.1, ramp, ramp + 0.1])
    assert metrics.motion(moving).item() == pytest.approx(0.1, rel=1e-5)
    with pytest.raises(DataError, match="predict at least two"):
        metrics.motion(moving[:1])


def test_frozen_and_blurred_predictions_are_flagged_and_the_base_itself_is_not():
    base = frames(2, 6, 3, 16, 16)
    same = metrics.flags(base, base)
    assert (same.motion, same.sharpness) == (1, 1)
    assert not same.frozen
    assert not same.blurred
    soft = metrics.flags(torch.stack([blurred(clip) for clip in base]), base)
    assert soft.blurred
    still = base[:, :1] + 0.7 * (base - base[:, :1])
    assert metrics.flags(still, base).motion == pytest.approx(0.7)  # differences shrink by that factor
    assert metrics.flags(still, base).frozen


# LPIPS


def weights_of(backbone, seed=0):
    """Weights at the scale that keeps activations alive; the linear layers' are not negative, as the published ones."""
    random = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in backbone.shapes.items():
        w = torch.randn(shape, generator=random) * (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else None
        made[name] = torch.zeros(shape) if w is None else w.abs() if name.startswith("lin") else w
    return made


def written(folder, weights, backbone="backbone.pth", linear="linear.pth"):
    """A backbone's file and its linear layers'; the classifier that torchvision's file also holds."""
    features = {name: w for name, w in weights.items() if name.startswith("features.")}
    torch.save({**features, "classifier.1.bias": torch.zeros(3)}, folder / backbone)
    torch.save({name: w for name, w in weights.items() if name.startswith("lin")}, folder / linear)
    return folder / backbone, folder / linear


@pytest.fixture(scope="module")
def alexnet():
    return weights_of(lpips.ALEXNET)


@pytest.mark.parametrize(("backbone", "size"), [(lpips.ALEXNET, 31), (lpips.VGG16, 16)], ids=lambda b: str(b)[:20])
def test_lpips_is_zero_for_equal_frames_positive_and_symmetric_otherwise(backbone, size, tmp_path):
    distance = lpips.load_lpips(written(tmp_path, weights_of(backbone)))
    x = frames(2, 2, 3, size, size, dtype=torch.float32)
    y = frames(2, 2, 3, size, size, seed=1, dtype=torch.float32)
    assert (distance(x, x) == 0).all()
    assert (distance(x, y) > 0).all()
    # batches of one size on either side: the same sums
    torch.testing.assert_close(distance(x, y), distance(y, x))
    torch.testing.assert_close(distance(x[1, 1], y[1, 1]), distance(x, y)[1, 1], rtol=1e-4, atol=0)
    with pytest.raises(DataError, match="too small"):
        distance(x[..., 1:], y[..., 1:])


def test_lpips_of_alexnet_is_its_formula_written_out(alexnet, tmp_path):
    import torch.nn.functional as F  # noqa: N812

    def activations(x):
        a = (2 * x - 1 - torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)) / torch.tensor(
            [0.458, 0.448, 0.450]
        ).view(3, 1, 1)
        for place, stride, padding, pooled in ((0, 4, 2, 0), (3, 1, 2, 1), (6, 1, 1, 1), (8, 1, 1, 0), (10, 1, 1, 0)):
            if pooled:
                a = F.max_pool2d(a, 3, 2)
            bias = alexnet[f"features.{place}.bias"]
            a = F.relu(F.conv2d(a, alexnet[f"features.{place}.weight"], bias, stride, padding))
            yield a / a.square().sum(1, keepdim=True).sqrt()

    x, y = (frames(3, 3, 40, 48, seed=s, dtype=torch.float32) for s in (0, 1))
    expected = sum(
        F.conv2d((a - b).square(), alexnet[f"lin{k}.model.1.weight"]).mean((1, 2, 3))
        for k, (a, b) in enumerate(zip(activations(x), activations(y), strict=True))
    )
    # float32 sums over thousands of activations in another order
    torch.testing.assert_close(lpips.load_lpips(written(tmp_path, alexnet))(x, y), expected, rtol=1e-4, atol=0)


def test_lpips_shows_grey_frames_as_grey_and_serves_as_a_measure_by_horizon(alexnet, tmp_path):
    distance = lpips.load_lpips(written(tmp_path, alexnet))
    x, y = frames(2, 3, 1, 32, 32, dtype=torch.float32), frames(2, 3, 1, 32, 32, seed=1, dtype=torch.float32)
    found = metrics.by_horizon(x, y, lpips=distance)["lpips"]
    assert found.shape == (2, 3)
    grey = [v.expand(-1, -1, 3, -1, -1) for v in (x, y)]
    torch.testing.assert_close(found, distance(*grey))
    with pytest.raises(DataError, match="colour"):
        distance(x.expand(-1, -1, 2, -1, -1), y.expand(-1, -1, 2, -1, -1))


def test_lpips_reads_one_file_of_both_and_safetensors(alexnet, tmp_path):
    x, y = frames(1, 3, 32, 32, dtype=torch.float32), frames(1, 3, 32, 32, seed=1, dtype=torch.float32)
    expected = lpips.load_lpips(written(tmp_path, alexnet))(x, y)
    torch.save(alexnet, tmp_path / "both.pth")
    torch.testing.assert_close(lpips.load_lpips(tmp_path / "both.pth")(x, y), expected)
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(alexnet, tmp_path / "both.safetensors")
    torch.testing.assert_close(lpips.load_lpips(str(tmp_path / "both.safetensors"))(x, y), expected)


class Harmful:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_files_that_are_no_weights_of_lpips_give_a_sentence(alexnet, tmp_path, capsys):
    backbone, linear = written(tmp_path, alexnet)

    def refused(*paths):
        with pytest.raises(OptionError) as caught:
            lpips.load_lpips(list(paths))
        return str(caught.value)

    assert "there is no such file" in refused(tmp_path / "nowhere.pth")
    assert '"lin0.model.1.weight" of AlexNet is missing' in refused(backbone)
    assert "no AlexNet or VGG-16 is in there" in refused(linear)
    for name, content in (("text.pth", b"hello"), ("empty.pth", b""), ("damaged.safetensors", b"\0" * 40)):
        (tmp_path / name).write_bytes(content)
        assert "not a file of weights" in refused(tmp_path / name)
    (tmp_path / "half.pth").write_bytes(backbone.read_bytes()[:1000])
    assert "not a file of weights" in refused(tmp_path / "half.pth")
    torch.save({"features.0.weight": Harmful()}, tmp_path / "harmful.pth")
    assert "not a file of weights" in refused(tmp_path / "harmful.pth")
    assert "this must not run" not in capsys.readouterr().out
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    assert "not a file of weights" in refused(tmp_path / "list.pth")

    others = {name: w for name, w in weights_of(lpips.VGG16).items() if name.startswith("lin")}
    torch.save(others, tmp_path / "other.pth")
    assert "belong together" in refused(backbone, tmp_path / "other.pth")
    torch.save({**alexnet, "lin2.model.1.weight": alexnet["lin2.model.1.weight"] * torch.nan}, tmp_path / "nan.pth")
    assert "not finite" in refused(tmp_path / "nan.pth")


# statistics


def test_the_ratio_of_an_arm_with_itself_is_one_exactly():
    errors = np.random.default_rng(0).exponential(size=40)
    assert statistics.paired_ratio(errors, errors, np.repeat(np.arange(8), 5), draws=500) == statistics.Ratio(1, 1, 1)


def test_the_interval_of_a_known_ratio_holds_it_as_often_as_it_says():
    """200 data sets of 40 episodes, ratio 0.9: 95 % of the intervals hold it, give or take 3 sqrt(.95 .05 / 200)."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        hard_G = np.repeat(rng.lognormal(0, 0.7, size=40), 5)
        own = np.repeat(rng.lognormal(0, 0.2, size=40) / np.exp(0.02), 5)
        ratio = statistics.paired_ratio(0.9 * hard_G * own, hard_G, np.repeat(np.arange(40), 5), draws=400)
        held += ratio.low <= 0.9 <= ratio.high
    assert held / 200 == pytest.approx(0.95, abs=0.05)


def test_repeating_the_windows_of_every_episode_makes_no_interval_narrower():
    rng = np.random.default_rng(1)
    a, b, episodes = rng.exponential(size=12), rng.exponential(size=12), np.arange(12)
    once = statistics.paired_ratio(a, b, episodes, draws=2000)
    often = statistics.paired_ratio(a.repeat(50), b.repeat(50), episodes.repeat(50), draws=2000)
    for name in ("value", "low", "high"):
        assert getattr(often, name) == pytest.approx(getattr(once, name), rel=1e-9)  # the same draws, other sums
    singly = statistics.paired_ratio(a.repeat(50), b.repeat(50), np.arange(600), draws=2000)
    assert singly.high - singly.low < 0.3 * (once.high - once.low)  # 1/sqrt(50) = 0.14 of it: the mistake avoided


def test_pairing_makes_the_interval_narrow_where_episodes_differ_more_than_arms():
    rng = np.random.default_rng(2)
    hard = rng.lognormal(0, 2, size=50)
    ratio = statistics.paired_ratio(0.95 * hard * rng.lognormal(0, 0.01, size=50), hard, np.arange(50), draws=2000)
    assert ratio.low < 0.95 * 1.01
    assert ratio.high - ratio.low < 0.02


def test_parts_of_the_draws_do_not_matter(monkeypatch):
    rng = np.random.default_rng(3)
    a, b, groups = rng.exponential(size=30), rng.exponential(size=30), rng.integers(0, 7, size=30)
    whole = statistics.paired_ratio(a, b, groups, draws=1000, seed=4)
    monkeypatch.setattr(statistics, "AT_ONCE", 100)
    in_parts = statistics.paired_ratio(a, b, groups, draws=1000, seed=4)
    assert (in_parts.low, in_parts.high) == pytest.approx((whole.low, whole.high), rel=1e-12)
    assert statistics.paired_ratio(a, b, groups, draws=1000, seed=5) != in_parts


def test_one_episode_has_no_interval():
    ratio = statistics.paired_ratio(np.array([1.0, 2.0]), np.array([2.0, 4.0]), np.array(["a", "a"]))
    assert ratio.value == 0.5
    assert np.isnan([ratio.low, ratio.high]).all()


@pytest.mark.parametrize(
    ("a", "b", "groups", "words"),
    [
        ([1.0, 2.0], [1.0], [0, 1], "same windows"),
        ([1.0, 2.0], [1.0, 2.0], [0], "episode of every window"),
        ([1.0, np.nan], [1.0, 2.0], [0, 1], "not finite"),
        ([1.0, -2.0], [1.0, 2.0], [0, 1], "negative"),
        ([1.0, 2.0], [0.0, 0.0], [0, 1], "no error anywhere"),
        ([], [], [], "no windows"),
    ],
)
def test_errors_that_cannot_be_compared_are_refused(a, b, groups, words):
    with pytest.raises(DataError, match=words):
        statistics.paired_ratio(np.array(a), np.array(b), np.array(groups))


def test_a_band_is_as_wide_as_the_normal_interval_of_the_mean_over_episodes():
    rng = np.random.default_rng(5)
    means = rng.normal(size=(400, 3))
    errors = np.repeat(means, 4, axis=0)
    found = statistics.band(errors, np.repeat(np.arange(400), 4), draws=4000)
    np.testing.assert_allclose(found.mean, errors.mean(axis=0))
    # 400 episodes: normal; 4000 draws know a 2.5 % quantile to 4 % of its distance from the mean
    expected = 2 * 1.96 * means.std(axis=0) / 20
    np.testing.assert_allclose(found.high - found.low, expected, rtol=0.1)


@pytest.mark.parametrize("horizon", [3, 4, 5, 22, 26])
def test_thirds_share_out_every_step_once_and_evenly(horizon):
    parts = statistics.thirds(horizon)
    assert list(parts) == ["early", "middle", "late"]
    steps = np.arange(horizon)
    assert np.concatenate([steps[part] for part in parts.values()]).tolist() == steps.tolist()
    sizes = [len(steps[part]) for part in parts.values()]
    assert max(sizes) - min(sizes) <= 1


def test_two_steps_have_no_thirds():
    with pytest.raises(DataError, match="at least 3"):
        statistics.thirds(2)


def test_a_conserved_component_has_nothing_within_and_noise_has_the_length_of_a_clip_less_one():
    rng = np.random.default_rng(6)
    clips, length = 400, 10
    own = np.repeat(rng.normal(size=(clips, 1)), length, axis=1)
    noise = rng.normal(size=(clips, length))
    g_NTd = np.stack([own, noise, np.full_like(noise, 0.1)], axis=-1)
    found = statistics.within_over_between(g_NTd)
    assert found.components[0] == 0
    # within (1 - 1/T), between 1/T, so T - 1; a variance over 400 clips is known to sqrt(2 / 400) = 7 %
    assert found.components[1] == pytest.approx(length - 1, rel=0.2)
    assert np.isnan(found.components[2])
    assert found.total == pytest.approx(0.9 / 1.1, rel=0.2)
    # clips of other lengths weigh the same
    again = statistics.within_over_between([*g_NTd[:-1], np.repeat(g_NTd[-1], 3, axis=0)])
    np.testing.assert_allclose(again.components[:2], found.components[:2], rtol=1e-12)
    with pytest.raises(DataError, match="at least two"):
        statistics.within_over_between(g_NTd[:1])


def test_correlations_are_those_of_scipy_ties_and_all():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=50), rng.integers(0, 5, size=50).astype(float)
    assert statistics.pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x, y)[0], abs=1e-12)
    assert statistics.spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y)[0], abs=1e-12)
    assert statistics.spearman(x, np.exp(3 * x)) == pytest.approx(1, abs=1e-12)
    assert statistics.pearson(x, -2 * x + 1) == pytest.approx(-1, abs=1e-12)
    assert np.isnan(statistics.spearman(x, np.ones(50)))
    with pytest.raises(DataError, match="give pairs"):
        statistics.pearson(x, y[1:])
