//! Networks of addresses, as a setting names them.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// Networks, written as `10.0.0.0/8, fd00::/8`.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<Network>);

#[derive(Clone, Copy, Debug)]
struct Network {
    address: u128,
    mask: u128,
}

fn bits(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Networks {
    pub fn contain(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        self.0
            .iter()
            .any(|network| bits & network.mask == network.address)
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(Self(named.map(str::parse).collect::<Result<_, _>>()?))
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').unzip();
        let address: Option<IpAddr> = address.unwrap_or(text).parse().ok();
        let full = address.map(|address| if address.is_ipv4() { 32 } else { 128 });
        let length = length.map_or(full, |length| length.parse().ok());
        let (Some(address), Some(full), Some(length)) = (address, full, length) else {
            return Err(format!("{text:?} is no network such as 10.0.0.0/8"));
        };
        if length > full {
            return Err(format!("{text:?} has a prefix longer than its address"));
        }
        let mask = u128::MAX.checked_shl(full - length).unwrap_or(0);
        Ok(Self {
            address: bits(address) & mask,
            mask,
        })
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let text = String::deserialize(value)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_or_refused() {
        assert!("".parse::<Networks>().unwrap().0.is_empty());
        let all: Networks = "0.0.0.0/0".parse().unwrap();
        assert!(all.contain([192, 0, 2, 1].into()));
        for wrong in [
            "10.0.0.0/33",
            "10.0.0/8",
            "proxy",
            "10.0.0.0/x",
            "10.0.0.0/",
        ] {
            assert!(wrong.parse::<Networks>().is_err(), "{wrong}");
        }
    }
}
