//! Generated from the committed ABIs (`make abi`). Nothing outside `convert` and the typed calls names these types.
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]

pub(crate) mod government;

use alloy::sol;

sol!(
    #[sol(extra_derives(Debug))]
    HubWallet,
    "../../contracts/abi/HubWallet.json"
);
sol!(
    #[sol(extra_derives(Debug))]
    HubFactory,
    "../../contracts/abi/HubFactory.json"
);
sol!(
    #[sol(extra_derives(Debug))]
    GioToken,
    "../../contracts/abi/GioToken.json"
);

// Written out, because the generator cannot read a type that an interface declares (`IWhitelist.Hub`) out of types of
// a file. The test below holds it to the committed ABI.
sol! {
    #[derive(Debug)]
    struct HubRecord {
        string endpoint;
        string name;
        string description;
        uint8 kind;
    }

    #[derive(Debug)]
    struct Hub {
        address wallet;
        address owner;
        uint64 listedAt;
        uint64 registeredAt;
        uint8 state;
        HubRecord record;
    }

    #[derive(Debug)]
    interface Whitelist {
        error FactoryForeign(address factory);
        error FactoryZero();
        error HubNotRegistered(address wallet);
        error NotFactory(address caller, address factory);
        error NotHubOwner(address caller, address owner);
        error NotWhitelistDao(address caller, address dao);
        error RecordFieldLength(uint8 field, uint256 length, uint256 max);
        error WalletListedAlready(address wallet);
        error WalletUnknown(address wallet);

        function hub(address wallet) external view returns (Hub memory);
        function hubs(uint256 offset, uint256 limit) external view returns (Hub[] memory page);
        function changeRecord(address wallet, HubRecord calldata record) external;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alloy::json_abi::{JsonAbi, Param};
    use alloy::sol_types::{SolCall, SolInterface, SolStruct};

    use super::*;

    #[test]
    fn the_whitelist_written_out_is_the_committed_one() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../contracts/abi/Whitelist.json"
        );
        let abi: JsonAbi = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for (name, selector) in [
            ("hub", Whitelist::hubCall::SELECTOR),
            ("hubs", Whitelist::hubsCall::SELECTOR),
            ("changeRecord", Whitelist::changeRecordCall::SELECTOR),
        ] {
            assert_eq!(abi.functions[name][0].selector().0, selector, "{name}");
        }
        for name in ["hub", "hubs"] {
            let hub = &abi.functions[name][0].outputs[0];
            let record = hub.components.last().unwrap();
            let committed = describe("Hub", hub) + &describe("HubRecord", record);
            assert_eq!(Hub::eip712_encode_type(), committed, "{name}");
        }
        let committed: BTreeSet<_> = abi.errors().map(|error| error.selector().0).collect();
        let ours: BTreeSet<_> = Whitelist::WhitelistErrors::selectors().collect();
        assert_eq!(ours, committed);
    }

    /// A struct as EIP-712 writes types, which names every field.
    fn describe(name: &str, parameter: &Param) -> String {
        let fields = parameter.components.iter().map(|field| {
            let ty = match field.ty.as_str() {
                "tuple" => "HubRecord",
                plain => plain,
            };
            format!("{ty} {}", field.name)
        });
        format!("{name}({})", fields.collect::<Vec<_>>().join(","))
    }
}
