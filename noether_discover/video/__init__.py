"""Conserved quantities of clips: video predictors, embeddings whose conservation is enforced while predicting.

clips, reading, writing, physics101, worlds, ramps   frames as arrays, from files and from our own renderers
rollout, networks, latent, svg                       predictors of frames
embeddings, conserved                                what is conserved: what helps to predict, or by its own objective
conservation, targets, noether_network               how it is enforced (Eq. 2 and 3)
batches, training, arms                              Algorithm 1 and its controls
metrics, lpips, statistics, explanations, pictures   what came out
config, checkpoints, experiment                      a run folder: from a TOML file to tables and pictures
"""
