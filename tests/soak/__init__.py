"""Half an hour of everything at once: load, kills and freezes, and then the books.

house (the processes, roles apart) ← faults (who is killed when) · load, editing (what is asked of it) · watching
(memory, delay) → checking (what must hold) → report (Markdown and a picture; pure)
"""
