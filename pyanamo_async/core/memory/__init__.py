"""Memory: what tasks used of it, what they need, and what may run beside what.

admission  what may start beside what runs, and what is ended when memory runs short
needs      how much an item needs: what it declared or reached, or what others of its step used
placing    which items wait for a larger worker
classes    which memory class an item waits in, and which classes a worker takes
room_wait  what an item lacks that was claimed and waits for room
measure    how a peak was measured
budget     `--memory` and `-i` as a person gives them
use        what the tasks of a step used
advice     that in words, and which machine would have fitted, from the sizes in `machines`
"""
