//! Whole numbers as postcard has them, for what is written in pieces: seven bits to a byte, the lowest first.

/// Appends a number.
#[inline]
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_is_what_postcard_reads() {
        for value in [0, 1, 127, 128, 300, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_varint(value, &mut out);
            assert_eq!(postcard::from_bytes::<u64>(&out), Ok(value));
        }
    }
}
