//! The formats of `docs/protocol.md` against the committed vectors, and against a second implementation.

use std::fs;

use alloy::sol;
use alloy::sol_types::{SolStruct as _, eip712_domain};
use gio_e2e::{paths, vectors};
use gio_protocol::{Address, B256, DealTerms, U256};
use serde_json::Value;

sol! {
    /// As a wallet would show it; written here again, from the page, not from our code.
    #[derive(Debug)]
    struct Claim {
        bytes32 dealId;
        uint32 unit;
        address owner;
        bytes32 programRoot;
        bytes32 inputRoot;
        uint8 status;
        uint32 exitCode;
        uint64 cu;
        bytes32 outputRoot;
        uint64 outputLength;
        bytes32 contentRoot;
    }
}

mod typed {
    alloy::sol! {
        struct DealTerms {
            address buyer;
            address wallet;
            bytes32 buyerNonce;
            bytes32 hubNonce;
            bytes32 seedCommitment;
            bytes32 jobRoot;
            uint32 unitCount;
            uint8 mode;
            bytes32 modeParams;
            uint32 machineVersion;
            bytes32 machineParams;
            uint128 pricePerPu;
            uint128 cap;
            uint128 guarantee;
            address royaltyTo;
            uint16 royaltyPerMille;
            address court;
            uint64 clockStart;
            uint64 openBy;
            uint64 deliverBy;
            uint64 window;
        }

        struct Acceptance {
            bytes32 dealId;
            uint32 unit;
            bytes32 claimHash;
        }

        struct Acceptances {
            bytes32 root;
        }

        struct Confirmation {
            bytes32 dealId;
            bytes32 resultRoot;
        }

        struct Cancellation {
            bytes32 dealId;
            uint128 payment;
        }
    }
}

/// To accept a change of a format: `GIO_BLESS=1 cargo test -p gio-e2e vectors`, then read the diff.
#[test]
fn the_committed_vectors_are_what_the_code_computes() {
    let path = paths::repository().join("tests/vectors/formats.json");
    let text = format!(
        "{}\n",
        serde_json::to_string_pretty(&vectors::formats()).unwrap()
    );
    if std::env::var_os("GIO_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == text,
        "tests/vectors/formats.json differs from what the code computes"
    );
}

#[test]
fn typed_data_is_what_another_eip_712_implementation_computes() {
    let file = vectors::formats();
    for deal in file["deals"].as_array().unwrap() {
        let bytes: Vec<u8> =
            alloy_primitives::hex::decode(deal["terms_bytes"].as_str().unwrap()).unwrap();
        let terms = DealTerms::from_bytes(&bytes).unwrap();
        let chain_id = deal["chain_id"].as_u64().unwrap();
        let domain = eip712_domain! {
            name: "GIO", version: "1", chain_id: chain_id, verifying_contract: terms.wallet,
        };
        assert_eq!(domain.separator(), hash(&deal["domain_separator"]));
        assert_eq!(
            to_typed(&terms).eip712_signing_hash(&domain),
            hash(&deal["deal_id"])
        );
        let claim = to_claim(&deal["claim"]);
        assert_eq!(
            claim.eip712_signing_hash(&domain),
            hash(&deal["claim_digest"])
        );
        let (deal_id, claim_hash) = (hash(&deal["deal_id"]), claim.eip712_hash_struct());
        let acceptance = typed::Acceptance {
            dealId: deal_id,
            unit: 7,
            claimHash: claim_hash,
        };
        assert_eq!(
            acceptance.eip712_signing_hash(&domain),
            hash(&deal["acceptance_digest"])
        );
        let acceptances = typed::Acceptances {
            root: hash(&deal["acceptances_root"]),
        };
        assert_eq!(
            acceptance.eip712_hash_struct(),
            hash(&deal["acceptances"][0])
        );
        assert_eq!(
            acceptances.eip712_signing_hash(&domain),
            hash(&deal["acceptances_digest"])
        );
        let confirmation = typed::Confirmation {
            dealId: deal_id,
            resultRoot: hash(&deal["result_root"]),
        };
        assert_eq!(
            confirmation.eip712_signing_hash(&domain),
            hash(&deal["confirmation_digest"])
        );
        let cancellation = typed::Cancellation {
            dealId: deal_id,
            payment: 123,
        };
        assert_eq!(
            cancellation.eip712_signing_hash(&domain),
            hash(&deal["cancellation_digest"])
        );
    }
}

#[test]
fn r01_r11_the_same_terms_elsewhere_are_another_deal() {
    let file = vectors::formats();
    let ids: std::collections::BTreeSet<&str> = file["deals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deal| deal["deal_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 3);
}

fn to_typed(terms: &DealTerms) -> typed::DealTerms {
    typed::DealTerms {
        buyer: terms.buyer,
        wallet: terms.wallet,
        buyerNonce: terms.buyer_nonce,
        hubNonce: terms.hub_nonce,
        seedCommitment: terms.seed_commitment,
        jobRoot: terms.job_root,
        unitCount: terms.unit_count,
        mode: terms.mode as u8,
        modeParams: terms.mode_params,
        machineVersion: terms.machine_version,
        machineParams: terms.machine_params,
        pricePerPu: u128::from(terms.price_per_pu.0.units()),
        cap: u128::from(terms.cap.units()),
        guarantee: u128::from(terms.guarantee.units()),
        royaltyTo: terms.royalty_to,
        royaltyPerMille: terms.royalty_per_mille,
        court: terms.court,
        clockStart: terms.clock_start.0,
        openBy: terms.open_by.0,
        deliverBy: terms.deliver_by.0,
        window: terms.window,
    }
}

fn to_claim(claim: &Value) -> Claim {
    let small = |name: &str| u32::try_from(claim[name].as_u64().unwrap()).unwrap();
    let large = |name: &str| {
        claim[name]
            .as_str()
            .unwrap()
            .parse::<U256>()
            .unwrap()
            .to::<u64>()
    };
    Claim {
        dealId: hash(&claim["deal_id"]),
        unit: small("unit"),
        owner: claim["owner"].as_str().unwrap().parse::<Address>().unwrap(),
        programRoot: hash(&claim["program_root"]),
        inputRoot: hash(&claim["input_root"]),
        status: u8::try_from(small("status")).unwrap(),
        exitCode: small("exit_code"),
        cu: large("cu"),
        outputRoot: hash(&claim["output_root"]),
        outputLength: large("output_length"),
        contentRoot: hash(&claim["content_root"]),
    }
}

fn hash(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}
