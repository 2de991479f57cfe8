"""Half an hour of mixed load with kills and freezes, then assertions on everything that was counted.

system (the processes, one per role) ← faults (schedule of faults) · load, editor_load (requests) · measurements
(memory, latency) → assertions → report (Markdown and a picture; pure)
"""
