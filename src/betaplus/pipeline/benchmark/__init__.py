"""Benchmarks: methods against references, their calibration and their speed.

A folder for each verb and, in it, for each part of its benchmark that takes several files; what
they share lies beside the folders: parts that can be run by themselves (`parts`), figures kept as
they are made (`shelf`), settings that are looked for (`search`, `tuning`), verbs run in a process
of their own (`verb_run`), figures with a target (`gate`), intervals of means of regions
(`region_intervals`), the files that are written (`result_files`) and how tables say it (`wording`).
"""
