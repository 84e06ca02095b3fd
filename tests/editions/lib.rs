//! Nothing of its own: the forms are tried in `tests/forms`, which every edition compiles.
