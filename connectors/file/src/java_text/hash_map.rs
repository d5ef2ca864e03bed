//! The order in which Java's `HashMap` gives its entries.
//!
//! An entry's place in the table is what the table's size leaves of its spread hash; entries of one place come as they were put. The
//! table has 16 places and doubles when the entries are more than three quarters of them, or, while it is small, when a ninth comes
//! to one place. In a large table Java makes a tree of such a place; that is not followed here, nor are nine in one place by names
//! of fields, which do not come so by chance.

use std::collections::HashMap;
use std::ops::Range;

use super::Form;

/// `String.hashCode`.
pub(super) fn hash_of(text: &str) -> u32 {
    text.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The most entries in one place of a small table.
const CROWD: usize = 8;
/// The size from which on a table is not small.
const LARGE: usize = 64;

/// The size of the table that `entries` entries make if they are spread well.
fn table(entries: usize) -> usize {
    let mut size = 16;
    while entries > size / 4 * 3 {
        size *= 2;
    }
    size
}

/// The size of the table that entries with these hashes make, put in this order.
fn crowded_table(hashes: &[u32]) -> usize {
    let mut size = table(0);
    for (n, &hash) in hashes.iter().enumerate() {
        let beside = |other: &&u32| place(**other, size) == place(hash, size);
        if size < LARGE && hashes[..n].iter().filter(beside).count() >= CROWD {
            size *= 2;
        }
        size = size.max(table(n + 1));
    }
    size
}

/// The place of a hash in a table of `size`.
fn place(hash: u32, size: usize) -> usize {
    (hash ^ (hash >> 16)) as usize & (size - 1)
}

/// The order of names that are the same in each row, of which a row may lack some.
#[derive(Debug)]
pub(super) struct Order {
    /// The names by their place in tables of 16, 32, 64 and so on.
    by_table: Vec<Vec<usize>>,
}

impl Order {
    /// The order of names with these hashes.
    pub(super) fn of(hashes: &[u32]) -> Self {
        let sorted = |size: usize| {
            let mut names: Vec<usize> = (0..hashes.len()).collect();
            names.sort_by_key(|&name| place(hashes[name], size));
            names
        };
        let largest = table(hashes.len());
        let tables = std::iter::successors(Some(16), |size| Some(size * 2)).take_while(|size| *size <= largest);
        Self { by_table: tables.map(sorted).collect() }
    }

    /// All names as they come when `present` of them are there.
    pub(super) fn of_size(&self, present: usize) -> &[usize] {
        &self.by_table[(table(present) / 16).ilog2() as usize]
    }
}

/// Prints a map: keys and values are appended in their own order, and brought into the table's at the end.
#[derive(Debug)]
pub(super) struct Entries {
    begin: usize,
    list: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    hash: u32,
    /// Where the key begins and ends in the text.
    key: Range<usize>,
    /// Where the value is.
    value: Range<usize>,
}

impl Entries {
    /// A map that is printed to `out` from here on.
    pub(super) fn new(out: &[u8]) -> Self {
        Self { begin: out.len(), list: Vec::new() }
    }

    /// Takes the key that was printed from `begin` on. Its value is printed next.
    pub(super) fn key(&mut self, hash: u32, begin: usize, out: &[u8]) {
        self.end(begin);
        self.list.push(Entry { hash, key: begin..out.len(), value: out.len()..out.len() });
    }

    /// Ends the value of the last entry.
    fn end(&mut self, at: usize) {
        if let Some(last) = self.list.last_mut() {
            last.value.end = at;
        }
    }

    /// Replaces the entries in `out` by the map, a value of this form.
    pub(super) fn finish(mut self, form: Form, out: &mut Vec<u8>) {
        self.end(out.len());
        let text = out.split_off(self.begin);
        let at = |range: &Range<usize>| &text[range.start - self.begin..range.end - self.begin];
        // A key that comes again gets the later value and keeps its place.
        let mut known: HashMap<&[u8], usize> = HashMap::with_capacity(self.list.len());
        let mut entries: Vec<(u32, &[u8], &[u8])> = Vec::with_capacity(self.list.len());
        for Entry { hash, key, value } in &self.list {
            let (key, value) = (at(key), at(value));
            let next = entries.len();
            match *known.entry(key).or_insert(next) {
                earlier if earlier < next => entries[earlier].2 = value,
                _ => entries.push((*hash, key, value)),
            }
        }
        let size = crowded_table(&entries.iter().map(|(hash, ..)| *hash).collect::<Vec<_>>());
        entries.sort_by_key(|(hash, ..)| place(*hash, size));
        out.push(b'{');
        for (n, (_, key, value)) in entries.iter().enumerate() {
            super::separate(n, form.comma(), out);
            out.extend_from_slice(key);
            out.push(form.colon());
            out.extend_from_slice(value);
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(entries: &[(&str, &str)]) -> String {
        let mut out = b"> ".to_vec();
        let mut map = Entries::new(&out);
        for (key, value) in entries {
            let begin = out.len();
            out.extend_from_slice(key.as_bytes());
            map.key(hash_of(key), begin, &out);
            out.extend_from_slice(value.as_bytes());
        }
        map.finish(Form::InLine, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hashes_are_javas() {
        let cases = [("", 0), ("a", 97), ("Aa", 2112), ("BB", 2112), ("hello", 99_162_322), ("hello world", 1_794_106_052)];
        for (text, hash) in cases {
            assert_eq!(hash_of(text), hash, "{text}");
        }
        // Above the first plane a character is two units.
        assert_eq!(hash_of("😀"), 0xd83d * 31 + 0xde00);
    }

    #[test]
    fn entries_come_by_their_place_in_the_table() {
        assert_eq!(printed(&[]), "> {}");
        assert_eq!(printed(&[("b", "1"), ("a", "2")]), "> {a=2, b=1}");
        assert_eq!(printed(&[("BB", "1"), ("Aa", "2")]), "> {BB=1, Aa=2}", "one place: as they were put");
        assert_eq!(printed(&[("a", "1"), ("b", "2"), ("a", "3")]), "> {a=3, b=2}");
        // 'a' is 97: 1 of 16, 97 of 128. 'p' is 112: 0 of 16.
        assert_eq!(printed(&[("a", "1"), ("p", "2")]), "> {p=2, a=1}");
    }

    #[test]
    fn a_table_doubles_past_three_quarters() {
        assert_eq!([0, 12, 13, 24, 25, 48, 49].map(table), [16, 16, 32, 32, 64, 64, 128]);
        assert_eq!(crowded_table(&[16; 8]), 16);
        assert_eq!(crowded_table(&[16; 9]), 32);
        assert_eq!(crowded_table(&[16; 11]), 64, "a large table stays");
        let order = Order::of(&["a", "p"].iter().cycle().take(30).map(|name| hash_of(name)).collect::<Vec<_>>());
        assert_eq!(order.of_size(12)[0], 1);
        assert_eq!(order.of_size(30)[0], 0);
    }
}
