//! Blocks a peer was asked for and has not sent yet: of others it sends, only the first bytes are read.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gio_coin::{BlockHash, HEADER_BYTES, Header, Reader};

use crate::wire::{Inventory, Message};

/// How a block may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Whole,
    ShortIds,
    /// What was missing of a block that came as short ids.
    Rest,
}

impl Form {
    /// The form of a message of this name, if it is one.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "block" => Some(Self::Whole),
            "cmpctblock" => Some(Self::ShortIds),
            "blocktxn" => Some(Self::Rest),
            _ => None,
        }
    }

    /// First bytes of the payload that say which block it is.
    pub(super) const fn name_bytes(self) -> usize {
        match self {
            Self::Whole | Self::ShortIds => HEADER_BYTES,
            Self::Rest => 32,
        }
    }

    fn block(self, start: &[u8]) -> Option<BlockHash> {
        let mut reader = Reader::new(start);
        match self {
            Self::Whole | Self::ShortIds => Header::read(&mut reader).ok().map(|it| it.id()),
            Self::Rest => reader.array().ok().map(BlockHash::from_bytes),
        }
    }
}

/// What one peer was asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    answers: Mutex<BTreeSet<(BlockHash, Form)>>,
}

impl Asked {
    fn answers(&self) -> MutexGuard<'_, BTreeSet<(BlockHash, Form)>> {
        // A set of ids is whole whatever happened to who held it.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a message to the peer asks for.
    pub(super) fn note(&self, message: &Message) {
        let mut answers = self.answers();
        match message {
            Message::GetData(items) => {
                for item in items {
                    match item {
                        Inventory::Block(id) => {
                            answers.insert((*id, Form::Whole));
                        }
                        // Old ones are sent whole.
                        Inventory::CompactBlock(id) => {
                            answers.extend([(*id, Form::ShortIds), (*id, Form::Whole)]);
                        }
                        Inventory::Tx(_) | Inventory::Other(..) => {}
                    }
                }
            }
            Message::GetBlockTxn(request) => {
                answers.extend([(request.block, Form::Rest), (request.block, Form::Whole)]);
            }
            _ => {}
        }
    }

    /// Notes what the peer says it does not have.
    pub(super) fn forget(&self, items: &[Inventory]) {
        for item in items {
            if let Inventory::Block(id) | Inventory::CompactBlock(id) = item {
                self.answers().retain(|(asked, _)| asked != id);
            }
        }
    }

    /// Whether a payload that begins so was asked for. Each question has one answer.
    pub(super) fn takes(&self, form: Form, start: &[u8]) -> bool {
        let Some(block) = form.block(start) else {
            // Too short to be any block: decoding says what is wrong.
            return true;
        };
        let mut answers = self.answers();
        let was_asked = answers.contains(&(block, form));
        if was_asked {
            answers.retain(|(asked, _)| *asked != block);
        }
        was_asked
    }
}

#[cfg(test)]
mod tests {
    use gio_coin::{Network, Params};

    use super::*;
    use crate::wire::BlockTxnRequest;

    #[test]
    fn each_question_has_one_answer() {
        let genesis = Params::of(Network::Regtest).genesis;
        let (id, start) = (genesis.id(), genesis.header.encode());
        let asked = Asked::default();
        let whole = Message::GetData(vec![Inventory::Block(id)]);
        let short = Message::GetData(vec![Inventory::CompactBlock(id)]);
        let rest = Message::GetBlockTxn(BlockTxnRequest {
            block: id,
            positions: vec![1],
        });
        assert!(!asked.takes(Form::Whole, &start));
        asked.note(&whole);
        assert!(!asked.takes(Form::ShortIds, &start));
        assert!(asked.takes(Form::Whole, &start));
        assert!(!asked.takes(Form::Whole, &start));
        asked.note(&short);
        assert!(asked.takes(Form::ShortIds, &start));
        assert!(!asked.takes(Form::Rest, id.as_bytes()));
        asked.note(&rest);
        assert!(!asked.takes(Form::ShortIds, &start));
        assert!(asked.takes(Form::Rest, id.as_bytes()));
        asked.note(&whole);
        asked.forget(&[Inventory::Block(id)]);
        assert!(!asked.takes(Form::Whole, &start));
    }
}
