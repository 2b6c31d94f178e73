//! Fields of records of Kafka's internal topics, read from their bytes.

/// Reads bytes from the front.
pub(super) struct Reader<'a>(&'a [u8]);

const SHORT: &str = "it ends early";

impl<'a> Reader<'a> {
    /// Reads these bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (first, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn byte(&mut self) -> Result<u8, &'static str> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn short(&mut self) -> Result<i16, &'static str> {
        self.take().map(i16::from_be_bytes)
    }

    pub(super) fn int(&mut self) -> Result<i32, &'static str> {
        self.take().map(i32::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Result<i64, &'static str> {
        self.take().map(i64::from_be_bytes)
    }

    /// A compact length or count of the flexible versions, which is stored plus one; -1: null.
    pub(super) fn compact(&mut self) -> Result<i32, &'static str> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return i32::try_from(value).map(|value| value - 1).map_err(|_| SHORT);
            }
        }
        Err("a number is too long")
    }

    /// The number of entries of a list; 0 for null.
    pub(super) fn count(&mut self, is_flexible: bool) -> Result<i32, &'static str> {
        let count = if is_flexible { self.compact()? } else { self.int()? };
        Ok(count.max(0))
    }

    pub(super) fn text(&mut self, size: i32) -> Result<String, &'static str> {
        let size = usize::try_from(size).map_err(|_| "a name is null")?;
        let (text, rest) = self.0.split_at_checked(size).ok_or(SHORT)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| "a name is not UTF-8")
    }

    /// Skips tagged fields.
    pub(super) fn tags(&mut self) -> Result<(), &'static str> {
        for _ in 0..self.compact()?.saturating_add(1) {
            self.compact()?;
            let size = self.compact()?.saturating_add(1);
            let size = usize::try_from(size).map_err(|_| SHORT)?;
            self.0 = self.0.get(size..).ok_or(SHORT)?;
        }
        Ok(())
    }

    /// A text with its length before it; `None` for null.
    pub(super) fn nullable_text(&mut self) -> Result<Option<String>, &'static str> {
        match self.short()? {
            -1 => Ok(None),
            size => self.text(size.into()).map(Some),
        }
    }

    /// Skips bytes with their length before them.
    pub(super) fn skip_bytes(&mut self) -> Result<(), &'static str> {
        let size = usize::try_from(self.int()?.max(0)).map_err(|_| SHORT)?;
        self.0 = self.0.get(size..).ok_or(SHORT)?;
        Ok(())
    }
}
