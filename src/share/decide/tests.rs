//! Tables come from the other branch.
