"""What a report and `plot` draw. Each panel is a data class made of plain arrays, which knows four things:

title    a few words
alt      what a reader who cannot see it is told
draw     itself, into matplotlib's axes
table    what it shows, as rows

sampled                    a law's values along trajectories and along random sequences
along, levels, drifting    panels of one law
pareto, rollouts           panels of a run
style                      colours, sizes, files
"""
