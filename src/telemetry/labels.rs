//! The form of labels: names and values from fixed lists.

/// Names and values of labels.
pub(super) type Labels<const N: usize> = [(&'static str, &'static str); N];
