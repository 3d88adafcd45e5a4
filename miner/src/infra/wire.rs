//! Between the messages of `gio.v1` and the miner's own words.

use gio_content::ContentRef;
use gio_net::wire::{
    self, MinerMessage, UnitDone, UnitFailure, UnitRef,
    field::{self, FieldError},
    miner_message::Body,
    unit_done::Output,
    unit_order,
};
use gio_protocol::{
    Claim, Cu, DealId, Gio, PricePerPu, Signature, UnitKind, UnitLeaf, UnixSeconds,
};
use thiserror::Error;

use crate::domain::order::{Input, Order, UnitKey};

/// Longest reason sent to a hub: a line for its log.
const REASON_BYTES_MAX: usize = 512;

/// A message that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// A field of fixed width has another.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A field is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A kind of unit this miner does not know.
    #[error("unit kind {0} is not known here")]
    Kind(u32),
}

/// The name of a unit.
///
/// # Errors
/// [`MessageError`].
pub fn key_of(deal_id: &[u8], unit: u32) -> Result<UnitKey, MessageError> {
    let deal = DealId(field::hash("deal_id", deal_id)?);
    Ok(UnitKey { deal, unit })
}

/// An order, not believed yet.
///
/// # Errors
/// [`MessageError`].
pub fn order_of(message: wire::UnitOrder) -> Result<Order, MessageError> {
    let kind = match message.kind {
        1 => UnitKind::Wasm,
        other => return Err(MessageError::Kind(other)),
    };
    let module = content_of(&message.module.ok_or(MessageError::Missing("module"))?)?;
    let input = match message.input.ok_or(MessageError::Missing("input"))? {
        unit_order::Input::InputInline(bytes) => Input::Inline(bytes),
        unit_order::Input::InputRef(content) => Input::Content(content_of(&content)?),
    };
    let proof = message.job_proof.iter();
    Ok(Order {
        deal: DealId(field::hash("deal_id", &message.deal_id)?),
        leaf: UnitLeaf {
            index: message.unit,
            kind,
            program_root: field::hash("program_root", &message.program_root)?,
            input_root: field::hash("input_root", &message.input_root)?,
            input_length: message.input_length,
            cu_limit: Cu(message.cu_limit),
            pages_max: message.pages_max,
            output_max: message.output_max,
            unit_seed: field::hash("unit_seed", &message.unit_seed)?,
        },
        module,
        input,
        clock_start: UnixSeconds(message.clock_start),
        deadline: UnixSeconds(message.deadline),
        net_price: PricePerPu(Gio::from_units(message.net_price_per_pu)),
        job_proof: proof
            .map(|hash| field::hash("job_proof", hash))
            .collect::<Result<_, _>>()?,
    })
}

fn content_of(content: &wire::ContentRef) -> Result<ContentRef, FieldError> {
    Ok(ContentRef {
        root: field::hash("root", &content.root)?,
        length: content.length,
    })
}

/// The wire's form of a content's address.
#[must_use]
pub fn content_ref(content: ContentRef) -> wire::ContentRef {
    wire::ContentRef {
        root: field::bytes(content.root),
        length: content.length,
    }
}

/// The wire's form of a unit's name.
#[must_use]
pub fn unit_ref(key: UnitKey) -> UnitRef {
    UnitRef {
        deal_id: field::bytes(key.deal.0),
        unit: key.unit,
    }
}

/// A result.
#[must_use]
pub fn unit_done(claim: &Claim, signature: &Signature, output: Output) -> UnitDone {
    UnitDone {
        deal_id: field::bytes(claim.deal_id.0),
        unit: claim.unit,
        claim: claim.to_bytes().into(),
        signature: field::signature_bytes(signature),
        output: Some(output),
    }
}

/// A unit that has no result here.
#[must_use]
pub fn unit_failure(key: UnitKey, reason: &str, retryable: bool) -> UnitFailure {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    UnitFailure {
        deal_id: field::bytes(key.deal.0),
        unit: key.unit,
        reason: reason[..end].to_owned(),
        retryable,
    }
}

/// A message on the work stream.
#[must_use]
pub fn message(body: Body) -> MinerMessage {
    MinerMessage { body: Some(body) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gio_protocol::B256;

    use super::*;

    fn good() -> wire::UnitOrder {
        let word = |byte| field::bytes(B256::repeat_byte(byte));
        wire::UnitOrder {
            deal_id: word(1),
            unit: 7,
            kind: 1,
            module: Some(wire::ContentRef {
                root: word(2),
                length: 10,
            }),
            input: Some(unit_order::Input::InputInline(Bytes::from_static(b"in"))),
            input_root: word(3),
            input_length: 2,
            program_root: word(4),
            cu_limit: 5,
            pages_max: 6,
            output_max: 7,
            unit_seed: word(5),
            clock_start: 8,
            deadline: 9,
            net_price_per_pu: 10,
            terms: Bytes::new(),
            job_proof: vec![word(6), word(7)],
        }
    }

    #[test]
    fn every_field_arrives_where_it_belongs() {
        let order = order_of(good()).unwrap();
        assert_eq!(order.key().unit, 7);
        assert_eq!(order.deal.0, B256::repeat_byte(1));
        assert_eq!(order.module.root, B256::repeat_byte(2));
        assert_eq!(order.leaf.input_root, B256::repeat_byte(3));
        assert_eq!(order.leaf.program_root, B256::repeat_byte(4));
        assert_eq!(order.leaf.unit_seed, B256::repeat_byte(5));
        assert_eq!(order.job_proof, [6, 7].map(B256::repeat_byte));
        let numbers = (
            order.leaf.cu_limit.0,
            order.leaf.pages_max,
            order.leaf.output_max,
        );
        assert_eq!(numbers, (5, 6, 7));
        assert_eq!((order.clock_start.0, order.deadline.0), (8, 9));
        assert_eq!(order.net_price.0, Gio::from_units(10));
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let mut order = good();
        order.module = None;
        assert_eq!(order_of(order), Err(MessageError::Missing("module")));
        let mut order = good();
        order.kind = 2;
        assert_eq!(order_of(order), Err(MessageError::Kind(2)));
        let mut order = good();
        order.job_proof[1] = Bytes::from_static(b"short");
        let text = order_of(order).unwrap_err().to_string();
        assert!(text.contains("job_proof"), "{text}");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let key = order_of(good()).unwrap().key();
        let failure = unit_failure(key, &"ä".repeat(400), true);
        assert_eq!(failure.reason.len(), REASON_BYTES_MAX);
        let odd = unit_failure(key, &format!("x{}", "ä".repeat(400)), true);
        assert_eq!(odd.reason.len(), REASON_BYTES_MAX - 1);
    }
}
