"""A next-frame network of your own, improved at prediction time by a quantity of the frames that is conserved."""

import torch
from torch import nn

from noether_discover.video.batches import Batches, Windows
from noether_discover.video.embeddings import QuantityEmbedding, brightness
from noether_discover.video.noether_network import Inner, NoetherNetwork
from noether_discover.video.rollout import StepPredictor
from noether_discover.video.targets import Normalisation
from noether_discover.video.worlds import ball

# yours: clips of a ball whose brightness never changes, and any module, two frames [B, 2 * C, H, W] -> the next one
torch.manual_seed(0)
train, test = ball(episodes=30, frames=14, size=16, grey=True).split(20)


class NextFrame(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(2, 24, 5, padding=2), nn.GroupNorm(1, 24), nn.SiLU(),
            nn.Conv2d(24, 24, 5, padding=2), nn.GroupNorm(1, 24), nn.SiLU(),
            nn.Conv2d(24, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, two: torch.Tensor) -> torch.Tensor:
        return two[:, 1:] + self.change(two)


# taught one step ahead, and not for long: on its own predictions the brightness runs away. (After twice the training it
# does not, and there is little left to gain.)
network = NextFrame()
adam = torch.optim.Adam(network.parameters(), lr=3e-3)
batches = Batches(Windows(train, 3), 32)
for epoch in range(20):
    for batch in batches.epoch(epoch):
        adam.zero_grad()
        (network(batch.frames[:, :2].flatten(1, 2)) - batch.frames[:, 2]).square().mean().backward()
        adam.step()

# ours: the scale and shift of the norm layers are adapted for every clip, until the rollout keeps its brightness
predictor = StepPredictor(network, given=2)
noether = NoetherNetwork(predictor, QuantityEmbedding(brightness), Normalisation(), Inner(steps=20, optimiser="adam"))
first = next(batches.epoch(0)).frames
noether.calibrate(first[:, :2], 1)
noether.eval()

clips = next(Batches(Windows(test, 14), 20, shuffled=False).epoch(0)).frames
context, truth = clips[:, :2], clips[:, 2:]
found = noether(context, 12)
for name, frames in (("plain", found.base_frames), ("brightness kept", found.frames)):
    error = (frames - truth).square().mean()
    drift = (frames.mean((-3, -2, -1)) - context[:, -1:].mean((-3, -2, -1))).abs().mean()
    print(f"{name:16} error {error:.5f}  drift {drift:.1e}")
