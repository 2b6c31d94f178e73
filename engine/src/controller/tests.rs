//! Decisions on hand-made clusters, and whole controllers on disks.
