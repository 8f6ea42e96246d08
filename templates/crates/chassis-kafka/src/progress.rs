//! Up to where all messages of a partition are done with. Kafka is told no more than that of each partition, while
//! messages are done with in any order.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of the partitions that this replica reads.
#[derive(Default)]
pub struct Progress {
    partitions: Mutex<Partitions>,
}

#[derive(Default)]
struct Partitions {
    stints: u64,
    read: HashMap<i32, Partition>,
}

/// A partition, for as long as it is this replica's.
struct Partition {
    stint: u64,
    /// Messages that are not done with.
    open: BTreeSet<i64>,
    /// Before this one all others are.
    next: i64,
}

/// A message's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
    stint: u64,
}

/// Its partition is another replica's meanwhile, which has the message as well.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone;

impl Progress {
    /// A message has come.
    pub fn begun(&self, partition: i32, offset: i64) -> Place {
        let Partitions { stints, read } = &mut *self.lock();
        let entry = read.entry(partition).or_insert_with(|| {
            *stints += 1;
            Partition {
                stint: *stints,
                open: BTreeSet::new(),
                next: offset,
            }
        });
        entry.open.insert(offset);
        entry.next = entry.next.max(offset + 1);
        Place {
            partition,
            offset,
            stint: entry.stint,
        }
    }

    /// A message is done with. Hands over the last one before which all are, if it is another one than before. One at a
    /// time, so that it only grows.
    pub fn done<T>(&self, place: Place, tell: impl FnOnce(i64) -> T) -> Result<Option<T>, Gone> {
        let mut partitions = self.lock();
        let partition = of(&mut partitions, place).ok_or(Gone)?;
        let was_first = partition.open.first() == Some(&place.offset);
        partition.open.remove(&place.offset);
        let first_open = partition.open.first().copied();
        let done = first_open.unwrap_or(partition.next) - 1;
        Ok(was_first.then(|| tell(done)))
    }

    /// Its partition is still this replica's.
    pub fn holds(&self, place: Place) -> bool {
        of(&mut self.lock(), place).is_some()
    }

    /// These are another replica's from now on.
    pub fn revoked(&self, partitions: impl Iterator<Item = i32>) {
        let mut read = self.lock();
        for partition in partitions {
            read.read.remove(&partition);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Partitions> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(partitions: &mut Partitions, place: Place) -> Option<&mut Partition> {
    let found = partitions.read.get_mut(&place.partition)?;
    (found.stint == place.stint).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_all_before_are_done_with() {
        let progress = Progress::default();
        let [first, second, third] = [5, 6, 8].map(|offset| progress.begun(0, offset));
        let elsewhere = progress.begun(1, 5);
        let done = |place| progress.done(place, |offset| offset);
        assert_eq!(done(second), Ok(None), "the first is not");
        assert_eq!(done(first), Ok(Some(7)), "up to the third");
        assert_eq!(done(elsewhere), Ok(Some(5)));
        assert_eq!(done(third), Ok(Some(8)));
        let fourth = progress.begun(0, 9);
        assert_eq!(done(fourth), Ok(Some(9)));
    }

    #[test]
    fn a_partition_that_went_away_and_came_back_is_another_one() {
        let progress = Progress::default();
        let before = progress.begun(0, 5);
        let elsewhere = progress.begun(1, 5);
        progress.revoked([0].into_iter());
        let nobody = |_| -> () { unreachable!() };
        assert_eq!(progress.done(before, nobody), Err(Gone));
        let again = progress.begun(0, 5);
        assert!(!progress.holds(before) && progress.holds(again) && progress.holds(elsewhere));
        assert_eq!(progress.done(before, nobody), Err(Gone));
        assert_eq!(progress.done(again, |offset| offset), Ok(Some(5)));
    }
}
