//! A list that is empty in nearly all of its owners.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

/// Takes one word while it is empty, where a `Vec` takes three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<T>", into = "Vec<T>", bound(serialize = "T: Serialize + Clone"))]
#[expect(clippy::box_collection, reason = "the room that it takes while empty is the point")]
pub struct Few<T>(Option<Box<Vec<T>>>);

impl<T> Few<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    pub(crate) fn push(&mut self, item: T) {
        self.0.get_or_insert_default().push(item);
    }

    /// Adds an item that is not there yet.
    pub(crate) fn put(&mut self, item: T)
    where
        T: PartialEq,
    {
        if !self.contains(&item) {
            self.push(item);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        if let Some(list) = &mut self.0 {
            list.retain(keep);
        }
        self.0.take_if(|list| list.is_empty());
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_deref_mut().map_or(&mut [], Vec::as_mut_slice)
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(list: Vec<T>) -> Self {
        Self((!list.is_empty()).then(|| Box::new(list)))
    }
}

impl<T> From<Few<T>> for Vec<T> {
    fn from(few: Few<T>) -> Self {
        few.0.map(|list| *list).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_saved_as_a_list_and_gives_its_room_back() {
        let mut few = Few::new();
        assert_eq!(size_of_val(&few), size_of::<usize>());
        few.push(7_u8);
        few.push(8);
        let bytes = postcard::to_allocvec(&few).unwrap();
        assert_eq!(bytes, postcard::to_allocvec(&vec![7_u8, 8]).unwrap());
        assert_eq!(postcard::from_bytes::<Few<u8>>(&bytes).unwrap(), few);

        few.retain(|_| false);

        assert_eq!(few, Few::new());
    }
}
