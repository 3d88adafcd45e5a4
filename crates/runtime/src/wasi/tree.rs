//! The unit's files: a tree in memory that begins with the input image's files and ends as the output's.
//!
//! Input files become output files when the program writes to them. A file that was removed lives on while it
//! is open. Removed nodes give their place and their room back.

use std::collections::BTreeMap;

use gio_content::path::PATH_BYTES_MAX;

use super::abi::{Answer, Errno, FileStat, FileType};
use super::output::Budget;

pub(super) type NodeId = usize;

pub(super) const ROOT: NodeId = 0;

/// Standard output and standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    next_serial: u64,
    streams: [Vec<u8>; 2],
    budget: Budget,
}

#[derive(Debug)]
struct Node {
    /// A number that no other node of the run ever has.
    serial: u64,
    kind: Kind,
    parent: NodeId,
    /// Length of its path from the root; zero for the root.
    path: usize,
    /// Whether its entry and data count against the output.
    counted: bool,
    /// How many descriptors hold it.
    holders: u32,
    /// Whether it can be found by a path.
    linked: bool,
}

#[derive(Debug)]
enum Kind {
    Folder(BTreeMap<String, NodeId>),
    File(Vec<u8>),
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: NodeId,
    /// The last component; empty if the path names `folder` itself.
    pub(super) name: String,
    pub(super) node: Option<NodeId>,
    /// The path ended in `/`, so it can only name a folder.
    pub(super) must_be_folder: bool,
}

impl Tree {
    pub(super) fn new(files: BTreeMap<String, Vec<u8>>, output_max: u64) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            free: Vec::new(),
            next_serial: 1,
            streams: [Vec::new(), Vec::new()],
            budget: Budget::new(output_max),
        };
        tree.insert(ROOT, String::new(), Kind::Folder(BTreeMap::new()), false);
        for (path, bytes) in files {
            let mut folder = ROOT;
            let mut components = path.split('/').peekable();
            while let Some(name) = components.next() {
                if components.peek().is_none() {
                    let file = Kind::File(bytes);
                    tree.insert(folder, name.to_owned(), file, false);
                    break;
                }
                folder = match tree.child(folder, name) {
                    Some(child) => child,
                    None => tree.insert(
                        folder,
                        name.to_owned(),
                        Kind::Folder(BTreeMap::new()),
                        false,
                    ),
                };
            }
        }
        tree
    }

    /// Standard output, standard error, and every file the program made or wrote to.
    pub(super) fn into_output(mut self) -> (Vec<u8>, Vec<u8>, BTreeMap<String, Vec<u8>>) {
        let mut files = BTreeMap::new();
        let mut open = vec![(String::new(), ROOT)];
        while let Some((path, node)) = open.pop() {
            let counted = self.nodes[node].counted;
            match std::mem::replace(&mut self.nodes[node].kind, Kind::File(Vec::new())) {
                Kind::Folder(children) => open.extend(children.into_iter().map(|(name, child)| {
                    let separator = if path.is_empty() { "" } else { "/" };
                    (format!("{path}{separator}{name}"), child)
                })),
                Kind::File(bytes) if counted => drop(files.insert(path, bytes)),
                Kind::File(_) => {}
            }
        }
        let [stdout, stderr] = self.streams;
        (stdout, stderr, files)
    }

    /// Follows a path from a folder; it may not lead out of that folder.
    pub(super) fn resolve(&self, from: NodeId, path: &str) -> Answer<Place> {
        if path.is_empty() {
            return Err(Errno::NOENT.into());
        }
        if path.contains('\0') {
            return Err(Errno::INVAL.into());
        }
        if path.starts_with('/') {
            return Err(Errno::PERM.into());
        }
        let mut trail = vec![from];
        let mut components = path
            .split('/')
            .filter(|name| !matches!(*name, "" | "."))
            .peekable();
        while let Some(name) = components.next() {
            let folder = *trail.last().unwrap_or(&from);
            self.children(folder)?;
            if name == ".." {
                trail.pop();
                if trail.is_empty() {
                    return Err(Errno::PERM.into());
                }
                continue;
            }
            let node = self.child(folder, name);
            if components.peek().is_none() {
                return Ok(Place {
                    folder,
                    name: name.to_owned(),
                    node,
                    must_be_folder: path.ends_with('/'),
                });
            }
            trail.push(node.ok_or(Errno::NOENT)?);
        }
        let folder = *trail.last().unwrap_or(&from);
        Ok(Place {
            folder,
            name: String::new(),
            node: Some(folder),
            must_be_folder: true,
        })
    }

    pub(super) fn is_folder(&self, node: NodeId) -> bool {
        matches!(self.nodes[node].kind, Kind::Folder(_))
    }

    pub(super) fn stat(&self, node: NodeId) -> FileStat {
        let (kind, size) = match &self.nodes[node].kind {
            Kind::Folder(_) => (FileType::Directory, 0),
            Kind::File(bytes) => (FileType::Regular, bytes.len() as u64),
        };
        FileStat {
            node: self.nodes[node].serial,
            kind,
            size,
        }
    }

    /// How many names [`Tree::list`] has.
    pub(super) fn list_len(&self, folder: NodeId) -> Answer<usize> {
        Ok(self.children(folder)?.len() + 2)
    }

    /// Names in a folder from the `skip`th on, `.` and `..` first, then by name.
    pub(super) fn list(
        &self,
        folder: NodeId,
        skip: usize,
    ) -> Answer<impl Iterator<Item = (&str, NodeId)>> {
        let children = self.children(folder)?;
        let own = [(".", folder), ("..", self.nodes[folder].parent)];
        let named = children.iter().map(|(name, node)| (name.as_str(), *node));
        Ok(own.into_iter().chain(named).skip(skip))
    }

    pub(super) fn create_file(&mut self, place: &Place) -> Answer<NodeId> {
        let path = self.check_new(place)?;
        self.budget.add_entry(path)?;
        let name = place.name.clone();
        Ok(self.insert(place.folder, name, Kind::File(Vec::new()), true))
    }

    pub(super) fn create_folder(&mut self, place: &Place) -> Answer<NodeId> {
        if place.node.is_some() {
            return Err(Errno::EXIST.into());
        }
        let path = self.check_new(place)?;
        self.budget.add_entry(path)?;
        let kind = Kind::Folder(BTreeMap::new());
        Ok(self.insert(place.folder, place.name.clone(), kind, true))
    }

    pub(super) fn remove_file(&mut self, place: &Place) -> Answer {
        let node = place.node.ok_or(Errno::NOENT)?;
        if self.is_folder(node) {
            return Err(Errno::ISDIR.into());
        }
        if place.must_be_folder {
            return Err(Errno::NOTDIR.into());
        }
        self.unlink(place.folder, &place.name, node)
    }

    pub(super) fn remove_folder(&mut self, place: &Place) -> Answer {
        let node = place.node.ok_or(Errno::NOENT)?;
        if !self.children(node)?.is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        if place.name.is_empty() {
            return Err(Errno::INVAL.into());
        }
        self.unlink(place.folder, &place.name, node)
    }

    /// Gives a file another path, in place of a file that may be there. Folders keep theirs.
    pub(super) fn rename_file(&mut self, from: &Place, to: &Place) -> Answer {
        let node = from.node.ok_or(Errno::NOENT)?;
        if self.is_folder(node) {
            return Err(Errno::NOTSUP.into());
        }
        if from.must_be_folder || to.must_be_folder {
            return Err(Errno::NOTDIR.into());
        }
        if to.node == Some(node) {
            return Ok(());
        }
        let path = self.check_new(to)?;
        self.count(node)?;
        if let Some(replaced) = to.node {
            if self.is_folder(replaced) {
                return Err(Errno::ISDIR.into());
            }
            self.unlink(to.folder, &to.name, replaced)?;
        }
        self.budget.remove_entry(self.nodes[node].path);
        self.budget.add_entry(path)?;
        self.children_mut(from.folder)?.remove(&from.name);
        self.children_mut(to.folder)?.insert(to.name.clone(), node);
        self.nodes[node].path = path;
        self.nodes[node].parent = to.folder;
        Ok(())
    }

    pub(super) fn bytes(&self, node: NodeId) -> Answer<&[u8]> {
        match &self.nodes[node].kind {
            Kind::File(bytes) => Ok(bytes),
            Kind::Folder(_) => Err(Errno::ISDIR.into()),
        }
    }

    /// Refuses what [`Tree::room`] would refuse, without doing it.
    pub(super) fn check_room(&mut self, node: NodeId, offset: u64, len: u32) -> Answer {
        let end = offset.checked_add(u64::from(len)).ok_or(Errno::FBIG)?;
        self.count(node)?;
        let old = self.bytes(node)?.len() as u64;
        self.budget.check_resize(old, end.max(old)).map(|_| ())
    }

    /// Room for `len` bytes at `offset`, with zeros before it if the file was shorter.
    pub(super) fn room(&mut self, node: NodeId, offset: u64, len: u32) -> Answer<&mut [u8]> {
        let end = offset.checked_add(u64::from(len)).ok_or(Errno::FBIG)?;
        if end > self.bytes(node)?.len() as u64 {
            self.set_len(node, end)?;
        } else {
            self.count(node)?;
        }
        let range = to_usize(offset)?..to_usize(end)?;
        match &mut self.nodes[node].kind {
            Kind::File(bytes) => Ok(&mut bytes[range]),
            Kind::Folder(_) => Err(Errno::ISDIR.into()),
        }
    }

    pub(super) fn set_len(&mut self, node: NodeId, len: u64) -> Answer {
        let old = self.bytes(node)?.len() as u64;
        self.count(node)?;
        self.budget.resize(old, len)?;
        let len = to_usize(len)?;
        if let Kind::File(bytes) = &mut self.nodes[node].kind {
            bytes.resize(len, 0);
        }
        Ok(())
    }

    pub(super) fn stream_len(&self, stream: Stream) -> usize {
        self.streams[stream as usize].len()
    }

    /// Room for `len` more bytes of a stream.
    pub(super) fn stream_room(&mut self, stream: Stream, len: u32) -> Answer<&mut [u8]> {
        let old = self.stream_len(stream);
        if len > 0 && old == 0 {
            self.budget.add_entry(0)?;
        }
        self.budget
            .resize(old as u64, old as u64 + u64::from(len))?;
        let bytes = &mut self.streams[stream as usize];
        bytes.resize(old + len as usize, 0);
        Ok(&mut bytes[old..])
    }

    /// A descriptor begins to hold the node.
    pub(super) fn hold(&mut self, node: NodeId) {
        self.nodes[node].holders += 1;
    }

    /// A descriptor lets go of the node.
    pub(super) fn release(&mut self, node: NodeId) {
        self.nodes[node].holders -= 1;
        self.collect(node);
    }

    /// From now on the node counts as output.
    fn count(&mut self, node: NodeId) -> Answer {
        if self.nodes[node].counted {
            return Ok(());
        }
        let len = self.bytes(node)?.len() as u64;
        self.budget.add_entry(self.nodes[node].path)?;
        self.budget.resize(0, len)?;
        self.nodes[node].counted = true;
        Ok(())
    }

    fn unlink(&mut self, folder: NodeId, name: &str, node: NodeId) -> Answer {
        self.children_mut(folder)?.remove(name);
        self.nodes[node].linked = false;
        self.collect(node);
        Ok(())
    }

    /// Gives back what nothing can reach any more.
    fn collect(&mut self, node: NodeId) {
        let Node {
            linked,
            holders,
            counted,
            path,
            ..
        } = self.nodes[node];
        if linked || holders > 0 {
            return;
        }
        let kind = std::mem::replace(&mut self.nodes[node].kind, Kind::File(Vec::new()));
        if counted {
            if let Kind::File(bytes) = kind {
                // Shrinking is never refused.
                let _ = self.budget.resize(bytes.len() as u64, 0);
            }
            self.budget.remove_entry(path);
        }
        self.free.push(node);
    }

    fn insert(&mut self, parent: NodeId, name: String, kind: Kind, counted: bool) -> NodeId {
        let path = self
            .nodes
            .get(parent)
            .map_or(0, |folder| joined(folder.path, &name));
        let node = Node {
            serial: self.next_serial,
            kind,
            parent,
            path,
            counted,
            holders: 0,
            linked: true,
        };
        self.next_serial += 1;
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id] = node;
                id
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        if let Some(Node {
            kind: Kind::Folder(children),
            ..
        }) = self.nodes.get_mut(parent)
            && id != ROOT
        {
            children.insert(name, id);
        }
        id
    }

    /// Whether a new name may be made there; answers the length of its path.
    fn check_new(&self, place: &Place) -> Answer<usize> {
        let folder = &self.nodes[place.folder];
        if !folder.linked || place.name.is_empty() {
            return Err(Errno::NOENT.into());
        }
        let path = joined(folder.path, &place.name);
        if path > PATH_BYTES_MAX {
            return Err(Errno::NAMETOOLONG.into());
        }
        if place.name.contains('\\') {
            return Err(Errno::ILSEQ.into());
        }
        Ok(path)
    }

    fn child(&self, folder: NodeId, name: &str) -> Option<NodeId> {
        match &self.nodes[folder].kind {
            Kind::Folder(children) => children.get(name).copied(),
            Kind::File(_) => None,
        }
    }

    fn children(&self, node: NodeId) -> Answer<&BTreeMap<String, NodeId>> {
        match &self.nodes[node].kind {
            Kind::Folder(children) => Ok(children),
            Kind::File(_) => Err(Errno::NOTDIR.into()),
        }
    }

    fn children_mut(&mut self, node: NodeId) -> Answer<&mut BTreeMap<String, NodeId>> {
        match &mut self.nodes[node].kind {
            Kind::Folder(children) => Ok(children),
            Kind::File(_) => Err(Errno::NOTDIR.into()),
        }
    }
}

fn joined(folder: usize, name: &str) -> usize {
    match folder {
        0 => name.len(),
        folder => folder + 1 + name.len(),
    }
}

fn to_usize(value: u64) -> Answer<usize> {
    Ok(usize::try_from(value).map_err(|_| Errno::FBIG)?)
}
