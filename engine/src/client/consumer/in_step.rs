//! A list in which what is looked for comes in the order of another, as the results of a response
//! come in the order of its request.

/// Finds elements, each search from where the one before has ended, so that all of them cost one walk
/// if the order is the same. Any other order is found too, at the cost of walks.
#[derive(Clone, Debug)]
pub(super) struct InStep<'a, T> {
    list: &'a [T],
    next: usize,
}

impl<'a, T> InStep<'a, T> {
    pub(super) fn new(list: &'a [T]) -> Self {
        Self { list, next: 0 }
    }

    /// The first element from here on, and then from the beginning, that is looked for.
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

    /// How many elements are looked at to find these among 0 to 99.
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
    fn the_same_order_is_one_walk_and_any_other_is_found_too() {
        assert_eq!(looks(0..100), 100);
        assert_eq!(looks((0..100).step_by(2)), 99, "some are not looked for");
        assert_eq!(looks([50, 7, 99, 0, 100].into_iter()), 51 + 57 + 92 + 1 + 100);
        assert_eq!(InStep::new(&[]).find(|_: &u32| true), None);
    }
}
