//! Merkle proofs as Bitcoin's nodes write them (BIP 37 `merkleblock`): a walk through the tree with one bit per
//! visited node. Written for the comparison with such a node, and nowhere else of use here.

use gio_coin::{DecodeError, HEADER_BYTES, Header, MerkleRoot, Reader, put_compact, sha256d};

/// Nodes of a level of a tree over so many leaves.
fn width(leaves: usize, height: usize) -> usize {
    (leaves + (1 << height) - 1) >> height
}

fn depth(leaves: usize) -> usize {
    (0..)
        .find(|height| width(leaves, *height) <= 1)
        .expect("a tree has a top")
}

/// What a proof of one leaf says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) header: Header,
    pub(crate) leaves: usize,
    /// The proven leaf's position.
    pub(crate) index: usize,
    pub(crate) leaf: MerkleRoot,
    /// Its siblings, the lowest first.
    pub(crate) path: Vec<MerkleRoot>,
}

struct Walk {
    leaves: usize,
    bits: Vec<bool>,
    hashes: Vec<MerkleRoot>,
    found: Option<(usize, MerkleRoot)>,
    path: Vec<MerkleRoot>,
}

impl Walk {
    /// Visits a node; gives its hash and whether the leaf is below it.
    fn visit(&mut self, height: usize, place: usize) -> (MerkleRoot, bool) {
        let leads = self.bits.remove(0);
        if height == 0 || !leads {
            let hash = self.hashes.remove(0);
            if leads {
                self.found = Some((place, hash));
            }
            return (hash, leads);
        }
        let (left, left_leads) = self.visit(height - 1, 2 * place);
        let has_right = 2 * place + 1 < width(self.leaves, height - 1);
        let (right, right_leads) = match has_right {
            true => self.visit(height - 1, 2 * place + 1),
            false => (left, false),
        };
        assert!(left_leads != right_leads, "one leaf is proven");
        self.path.push(if left_leads { right } else { left });
        let both = [&left.as_bytes()[..], right.as_bytes()].concat();
        (MerkleRoot::from_bytes(sha256d(&both)), true)
    }
}

impl Proof {
    /// Reads a proof of one leaf; its root must be the header's.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader)?;
        let leaves = reader.u32()? as usize;
        let count = reader.count("hashes", 32)?;
        let hashes = (0..count).map(|_| reader.array().map(MerkleRoot::from_bytes));
        let hashes = hashes.collect::<Result<Vec<_>, _>>()?;
        let flags = reader.var_bytes("flags", bytes.len())?;
        reader.finish()?;
        let bits = flags
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        let mut walk = Walk {
            leaves,
            bits: bits.collect(),
            hashes,
            found: None,
            path: Vec::new(),
        };
        let (root, _) = walk.visit(depth(leaves), 0);
        assert_eq!(root, header.merkle_root);
        assert!(walk.hashes.is_empty() && walk.bits.iter().all(|bit| !bit));
        let (index, leaf) = walk.found.expect("one leaf is proven");
        Ok(Self {
            header,
            leaves,
            index,
            leaf,
            path: walk.path,
        })
    }

    /// The bytes of the proof.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (mut bits, mut hashes) = (Vec::new(), Vec::new());
        self.emit(depth(self.leaves), 0, &mut bits, &mut hashes);
        let mut bytes = self.header.encode().to_vec();
        assert_eq!(bytes.len(), HEADER_BYTES);
        bytes.extend(
            u32::try_from(self.leaves)
                .expect("few leaves")
                .to_le_bytes(),
        );
        put_compact(&mut bytes, hashes.len());
        hashes.iter().for_each(|hash| bytes.extend(hash.as_bytes()));
        let flags: Vec<u8> = bits
            .chunks(8)
            .map(|bits| (0..).zip(bits).map(|(at, bit)| u8::from(*bit) << at).sum())
            .collect();
        put_compact(&mut bytes, flags.len());
        bytes.extend(flags);
        bytes
    }

    /// The walk down to the leaf: every node on the way leads, its siblings are hashes.
    fn emit(
        &self,
        height: usize,
        place: usize,
        bits: &mut Vec<bool>,
        hashes: &mut Vec<MerkleRoot>,
    ) {
        let leads = self.index >> height == place;
        bits.push(leads);
        if height == 0 && leads {
            hashes.push(self.leaf);
        } else if !leads {
            hashes.push(self.path[height]);
        } else {
            self.emit(height - 1, 2 * place, bits, hashes);
            if 2 * place + 1 < width(self.leaves, height - 1) {
                self.emit(height - 1, 2 * place + 1, bits, hashes);
            }
        }
    }
}
