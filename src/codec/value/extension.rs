//! What Pyro 5 writes as MessagePack's extensions.

use serde::de::Error;

use crate::codec::value::Value;

/// The value of an extension of type `kind`. Python writes numbers as its machine has them; all machines that matter are little-endian.
pub(super) fn read<E: Error>(kind: i8, data: &[u8]) -> Result<Value, E> {
    let value = match kind {
        0x30 => complex(data),
        0x31 => whole(data),
        0x32 => float(data).map(Value::Float),
        0x33 => ordinal(data).map(Value::Int),
        _ => return Err(E::custom(format_args!("MessagePack extension {kind} is none of Pyro's"))),
    };
    value.ok_or_else(|| {
        E::custom(format_args!("MessagePack extension {kind} of {} bytes is not as Pyro writes it", data.len()))
    })
}

/// Real and imaginary part.
fn complex(data: &[u8]) -> Option<Value> {
    let (real, imaginary) = data.split_at_checked(8)?;
    Some(Value::List(vec![Value::Float(float(real)?), Value::Float(float(imaginary)?)]))
}

/// Decimal digits; beyond 64 bits they stay as they are.
fn whole(data: &[u8]) -> Option<Value> {
    let digits = str::from_utf8(data).ok()?;
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let small = digits.parse().map(Value::Int).or_else(|_| digits.parse().map(Value::UInt));
    Some(small.unwrap_or_else(|_| Value::from(digits)))
}

/// A point in time, in seconds since 1970, is one.
fn float(data: &[u8]) -> Option<f64> {
    data.try_into().ok().map(f64::from_le_bytes)
}

/// A date, in days since the year 1: a C `long`, which Windows has smaller.
fn ordinal(data: &[u8]) -> Option<i64> {
    let long = data.try_into().map(i64::from_le_bytes);
    long.ok().or_else(|| data.try_into().ok().map(|bytes| i64::from(i32::from_le_bytes(bytes))))
}
