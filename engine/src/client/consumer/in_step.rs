//! Searches in a list whose order is probably that of the searches: the results of a response are
//! usually in the order of its request.

/// Finds elements of a list. Each search begins after the last element found, so that all searches
/// together cost one pass if the order is the same. In any other order elements are found too, at a
/// higher cost.
#[derive(Clone, Debug)]
pub(super) struct InStep<'a, T> {
    list: &'a [T],
    next: usize,
}

impl<'a, T> InStep<'a, T> {
    pub(super) fn new(list: &'a [T]) -> Self {
        Self { list, next: 0 }
    }

    /// The first match after the last element found, or else from the beginning.
    pub(super) fn find(&mut self, mut is_it: impl FnMut(&T) -> bool) -> Option<&'a T> {
        let (before, after) = self.list.split_at(self.next);
        let found = after.iter().chain(before).position(&mut is_it)?;
        let at = (self.next + found) % self.list.len();
        self.next = at + 1;
        self.list.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of elements that are compared to find these among 0 to 99.
    fn looks(wanted: impl Iterator<Item = u32>) -> usize {
        let list: Vec<u32> = (0..100).collect();
        let (mut in_step, mut looks) = (InStep::new(&list), 0);
        for wanted in wanted {
            let found = in_step.find(|it| {
                looks += 1;
                *it == wanted
            });
            assert_eq!(found.copied(), (wanted < 100).then_some(wanted));
        }
        looks
    }

    #[test]
    fn the_same_order_costs_one_pass_and_any_other_order_works() {
        assert_eq!(looks(0..100), 100);
        assert_eq!(looks((0..100).step_by(2)), 99, "elements in between are compared once");
        assert_eq!(looks([50, 7, 99, 0, 100].into_iter()), 51 + 57 + 92 + 1 + 100);
        assert_eq!(InStep::new(&[]).find(|_: &u32| true), None);
    }
}
