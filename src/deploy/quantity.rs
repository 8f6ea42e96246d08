//! Amounts of CPU and memory, as Kubernetes writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// CPU in thousandths of a core: `50m`, `0.5`, `2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpu(pub u64);

/// Memory or disk in bytes, written in binary units: `64Mi`, `1Gi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub u64);

pub const MEBIBYTE: u64 = 1 << 20;

const UNITS: [(&str, u64); 4] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", MEBIBYTE), ("Ki", 1 << 10)];

impl FromStr for Cpu {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let milli = match text.strip_suffix('m') {
            Some(milli) => milli.parse::<u64>().ok(),
            None => {
                let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
                let decimals = Some(decimals).filter(|d| (1..=3).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_digit()));
                decimals.and_then(|d| {
                    let thousandths = format!("{d:0<3}").parse::<u64>().ok()?;
                    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(thousandths)
                })
            }
        };
        match milli {
            Some(milli @ 1..=1_000_000) => Ok(Self(milli)),
            _ => Err(format!("`{text}` is no amount of CPU: write \"50m\" (thousandths of a core), \"0.5\" or \"2\"")),
        }
    }
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        UNITS
            .iter()
            .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)))
            .and_then(|(number, size)| number.parse::<u64>().ok()?.checked_mul(*size))
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no amount of memory: write \"64Mi\" or \"1Gi\""))
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Kubernetes itself turns `1000m` into `1`.
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, size)| self.0.is_multiple_of(*size)) {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

macro_rules! as_text {
    ($($name:ident),+) => { $(
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> { text.parse() }
        }
        impl From<$name> for String {
            fn from(amount: $name) -> String { amount.to_string() }
        }
    )+ };
}

as_text!(Cpu, Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu() {
        for (text, milli, shown) in
            [("50m", 50, "50m"), ("0.5", 500, "500m"), ("2", 2000, "2"), ("1.25", 1250, "1250m"), ("1000m", 1000, "1")]
        {
            let cpu = text.parse::<Cpu>().unwrap();
            assert_eq!((cpu.0, cpu.to_string().as_str()), (milli, shown));
        }
        for bad in ["", "m", "0", "-1", "1e3", ".5", "0.", "0.0001", "50 m", "99999999999999999999", "18446744073709551615"] {
            assert!(bad.parse::<Cpu>().is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes() {
        for (text, bytes, shown) in
            [("64Mi", 64 << 20, "64Mi"), ("1024Mi", 1 << 30, "1Gi"), ("1Ki", 1024, "1Ki"), ("1536Mi", 3 << 29, "1536Mi")]
        {
            let amount = text.parse::<Bytes>().unwrap();
            assert_eq!((amount.0, amount.to_string().as_str()), (bytes, shown));
        }
        for bad in ["", "Mi", "64", "64M", "64MB", "0Mi", "-1Mi", "1.5Gi", "99999999999Ti"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
    }
}
