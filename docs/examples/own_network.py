"""A network of your own, improved by a law that was found in the same data."""

import torch

from noether_discover import NoetherPredictor, discover
from noether_discover.data.systems import simulate

# yours: some data and a network, state -> dx/dt, trained in whatever way
torch.manual_seed(0)
data = simulate("pendulum_hnn", seed=1)
train, test = data.pick(range(25)), data.pick(range(25, 50))
x = torch.tensor(train.stacked, dtype=torch.float32)
rates = torch.stack([2 * x[:, 1], -3 * x[:, 0].sin()], dim=1)
network = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2))
adam = torch.optim.Adam(network.parameters(), lr=3e-3)
for _ in range(1000):
    adam.zero_grad()
    (network(x) - rates).square().mean().backward()
    adam.step()

# ours: what is conserved, and forecasts that keep it; with epochs=0 the network stays as it is
law = discover(train, rank=False, strict_angles=True)
predictor = NoetherPredictor(network, law).fit(train, epochs=0)
forecast = predictor.predict([states[0] for states in test.states], test.times[0])

truth = torch.tensor([states.tolist() for states in test.states])
for name, states in (("plain", forecast.plain), ("with the law", forecast.states)):
    energy = law.quantity()(states)
    error, drift = (states - truth).square().mean().sqrt(), (energy - energy[:, :1]).abs().mean()
    print(f"{name:13} error {error:.3f}  drift {drift:.1e}")
