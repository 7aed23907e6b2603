//! Large lists of bytes in messages, which move instead of being copied.
//!
//! What is written is only borrowed, and so is what is read from; a list can be neither given away nor had as it is. So before a message is
//! written, its large lists are taken out of it, and the places where they were are known by their memory; a message that is read has such a
//! place where a list is to be put.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;

use bytes::Bytes;

use crate::wire::chunk::CHUNK_BYTES;

/// Is called with each list of a message that may move.
pub type Each<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// Shows a value that may itself be a list.
pub fn show<T: 'static>(value: &mut T, each: Each<'_>) {
    let any: &mut dyn Any = value;
    if let Some(list) = any.downcast_mut::<Vec<u8>>() {
        each(list);
    }
}

/// Where a list was, or will be: an empty list with memory that no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

impl Place {
    /// A place, and the list that marks it.
    pub(crate) fn new() -> (Place, Vec<u8>) {
        let list = Vec::<u8>::with_capacity(1);
        (Place(list.as_ptr().addr()), list)
    }

    /// Whether it is this one.
    pub(crate) fn is(self, list: &Vec<u8>) -> bool {
        list.is_empty() && list.capacity() > 0 && list.as_ptr().addr() == self.0
    }
}

/// The large lists of a message, which is without them as long as they are here.
#[derive(Debug)]
pub(crate) struct Lists(Vec<(Place, Bytes)>);

thread_local! {
    /// Those of the message that is being written, and whether each has been.
    static WRITTEN: RefCell<Vec<(Place, Bytes, bool)>> = const { RefCell::new(Vec::new()) };
}

/// What is wrong with a message that shows a list which it then writes in its own way: the list would be missing.
const MISSED: &str = "it shows a list of bytes that `blob` does not write (`RemoteMessage::show_lists`)";

impl Lists {
    /// Takes them out of the message that `show` shows; `None` if there are none.
    pub(crate) fn take(show: impl FnOnce(Each<'_>)) -> Option<Box<Lists>> {
        let mut lists = Vec::new();
        show(&mut |list| {
            if list.len() >= CHUNK_BYTES {
                let (place, empty) = Place::new();
                lists.push((place, std::mem::replace(list, empty).into()));
            }
        });
        (!lists.is_empty()).then(|| Box::new(Lists(lists)))
    }

    /// Puts them back. One that is still being sent is copied.
    pub(crate) fn put_back(self, show: impl FnOnce(Each<'_>)) {
        let Lists(mut lists) = self;
        show(&mut |list| {
            if let Some(at) = lists.iter().position(|(place, _)| place.is(list)) {
                *list = lists.swap_remove(at).1.into();
            }
        });
    }

    /// What is written meanwhile has them where they were.
    ///
    /// # Errors
    /// It cannot be written, or one of them was not.
    pub(crate) fn written<R, E: Display>(&self, write: impl FnOnce() -> Result<R, E>) -> Result<R, String> {
        struct Earlier(Vec<(Place, Bytes, bool)>);
        impl Drop for Earlier {
            fn drop(&mut self) {
                WRITTEN.set(std::mem::take(&mut self.0));
            }
        }
        let lists = self.0.iter().map(|(place, bytes)| (*place, bytes.clone(), false)).collect();
        let _earlier = Earlier(WRITTEN.replace(lists));
        let written = write().map_err(|problem| problem.to_string())?;
        let all = WRITTEN.with_borrow(|lists| lists.iter().all(|(.., written)| *written));
        if all { Ok(written) } else { Err(MISSED.to_owned()) }
    }
}

/// The list that belongs where this one is, in a message that is being written.
pub(crate) fn belonging(list: &Vec<u8>) -> Option<Bytes> {
    if !list.is_empty() || list.capacity() == 0 {
        return None;
    }
    WRITTEN.with_borrow_mut(|lists| {
        let (_, bytes, written) = lists.iter_mut().find(|(place, ..)| place.is(list))?;
        *written = true;
        Some(bytes.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_lists_leave_a_message_and_come_back_without_a_copy() {
        let mut message = [vec![1; CHUNK_BYTES], vec![2; 3], Vec::new(), vec![3; 2 * CHUNK_BYTES]];
        let (before, at) = (message.clone(), message[3].as_ptr());
        let show = |message: &mut [Vec<u8>; 4], each: Each<'_>| message.iter_mut().for_each(each);
        let lists = Lists::take(|each| show(&mut message, each)).unwrap();
        assert!(message[0].is_empty() && message[1] == [2; 3] && message[3].is_empty());
        assert!(belonging(&message[0]).is_none(), "nobody writes it");
        let found = lists.written(|| Ok::<_, String>(message.each_ref().map(belonging))).unwrap();
        assert_eq!(
            found.each_ref().map(|found| found.as_ref().map(Bytes::len)),
            [Some(CHUNK_BYTES), None, None, Some(2 * CHUNK_BYTES)]
        );
        assert_eq!(found[3].as_ref().unwrap().as_ptr(), at);
        drop(found);
        lists.put_back(|each| show(&mut message, each));
        assert!(message == before && message[3].as_ptr() == at);
        assert!(Lists::take(|each| each(&mut vec![1; 3])).is_none());
    }

    #[test]
    fn a_list_that_is_shown_and_written_otherwise_is_not_lost_in_silence() {
        let mut message = vec![1; CHUNK_BYTES];
        let lists = Lists::take(|each| each(&mut message)).unwrap();
        assert_eq!(lists.written(|| Ok::<_, String>(())).unwrap_err(), MISSED);
        assert_eq!(lists.written(|| Err::<(), _>("no")).unwrap_err(), "no");
        assert!(WRITTEN.take().is_empty());
    }

    #[test]
    fn a_value_shows_itself_if_it_is_a_list() {
        let mut shown = 0;
        show(&mut vec![1_u8], &mut |list| shown += list.len());
        show(&mut vec![1_u16], &mut |list| shown += list.len());
        assert_eq!(shown, 1);
    }
}
