//! Where jobs are kept: `<home>/jobs/<id>/job.json`, written whole and synced before anything is announced.
//!
//! One process at a time drives a job ([`JobStore::lock`]); reading needs no lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use gio_agent::files::{Access, write_durably};
use thiserror::Error;

use crate::job::{Job, JobId, RECORD_VERSION};

/// A job that cannot be read or written.
#[derive(Debug, Error)]
pub enum JobStoreError {
    /// There is no such job.
    #[error("there is no job `{0}` here")]
    NotFound(String),
    /// The beginning fits several.
    #[error("`{prefix}` may be {}", names(.candidates))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// What it may mean.
        candidates: Vec<JobId>,
    },
    /// Two processes on one job could answer the same question differently.
    #[error("another gio-buyer follows job {0}")]
    Locked(JobId),
    /// The file system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record was changed or cut off.
    #[error("{} is no job record", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A later version wrote it.
    #[error("{} has version {found}, this program knows version {RECORD_VERSION}", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

fn names(candidates: &[JobId]) -> String {
    let texts: Vec<&str> = candidates.iter().map(JobId::as_str).collect();
    texts.join(" or ")
}

/// The jobs of a home.
#[derive(Clone, Debug)]
pub struct JobStore {
    folder: PathBuf,
}

/// Held while a process drives a job.
#[derive(Debug)]
pub struct JobLock {
    _file: File,
}

impl JobStore {
    /// The jobs in this folder, made with the first of them.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// A job's own folder.
    #[must_use]
    pub fn folder(&self, id: &JobId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    /// Writes a job durably.
    ///
    /// # Errors
    /// [`JobStoreError::Io`].
    ///
    /// # Panics
    /// Never: a record holds nothing JSON cannot say.
    pub fn save(&self, job: &Job) -> Result<(), JobStoreError> {
        let bytes = serde_json::to_vec_pretty(job)
            .expect("a record holds only texts, numbers and maps with text keys");
        let written = self.write(&job.id, "job.json", &bytes);
        gio_failpoint::fail_point!("buyer.wrote.job");
        written
    }

    /// Writes another file of a job durably.
    ///
    /// # Errors
    /// [`JobStoreError::Io`].
    pub fn write(&self, id: &JobId, name: &str, bytes: &[u8]) -> Result<(), JobStoreError> {
        let path = self.folder(id).join(name);
        // Jobs hold arguments and environment variables, which are nobody else's business.
        write_durably(&path, bytes, Access::Secret)
            .map_err(|source| JobStoreError::Io { path, source })
    }

    /// Reads another file of a job.
    ///
    /// # Errors
    /// [`JobStoreError::Io`], also if there is none yet.
    pub fn read(&self, id: &JobId, name: &str) -> Result<Vec<u8>, JobStoreError> {
        let path = self.folder(id).join(name);
        fs::read(&path).map_err(|source| JobStoreError::Io { path, source })
    }

    /// Reads a job.
    ///
    /// # Errors
    /// [`JobStoreError`].
    pub fn load(&self, id: &JobId) -> Result<Job, JobStoreError> {
        let path = self.folder(id).join("job.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JobStoreError::NotFound(id.to_string()));
            }
            Err(source) => return Err(JobStoreError::Io { path, source }),
        };
        read(&path, &bytes)
    }

    /// The job whose id begins so.
    ///
    /// # Errors
    /// [`JobStoreError`] if there is none, or more than one.
    pub fn find(&self, prefix: &str) -> Result<Job, JobStoreError> {
        if let Ok(id) = prefix.parse() {
            return self.load(&id);
        }
        let mut candidates = self.ids()?;
        candidates.retain(|id| !prefix.is_empty() && id.as_str().starts_with(prefix));
        match candidates.as_slice() {
            [] => Err(JobStoreError::NotFound(prefix.to_owned())),
            [id] => self.load(id),
            _ => Err(JobStoreError::Ambiguous {
                prefix: prefix.to_owned(),
                candidates,
            }),
        }
    }

    /// All jobs' ids, in no order that means anything.
    ///
    /// # Errors
    /// [`JobStoreError::Io`].
    pub fn ids(&self) -> Result<Vec<JobId>, JobStoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                let path = self.folder.clone();
                return Err(JobStoreError::Io { path, source });
            }
        };
        let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        let mut ids: Vec<JobId> = entries
            .filter_map(name)
            .filter_map(|name| name.parse().ok())
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// Claims a job for this process.
    ///
    /// # Errors
    /// [`JobStoreError::Locked`].
    pub fn lock(&self, id: &JobId) -> Result<JobLock, JobStoreError> {
        let path = self.folder(id).join("lock");
        let io = |source| JobStoreError::Io {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(self.folder(id)).map_err(io)?;
        let file = File::create(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(JobLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(JobStoreError::Locked(id.clone())),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

fn read(path: &Path, bytes: &[u8]) -> Result<Job, JobStoreError> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    let damaged = |source| JobStoreError::Damaged {
        path: path.to_owned(),
        source,
    };
    let Versioned { version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if version != RECORD_VERSION {
        return Err(JobStoreError::Version {
            path: path.to_owned(),
            found: version,
        });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use gio_protocol::{B256, DealId, Gio, Signature};

    use super::*;
    use crate::domain::next::Step;
    use crate::domain::quote::tests::quote;
    use crate::domain::terms::draw_up;
    use crate::domain::terms::tests::{SIGNING, limits};
    use crate::domain::verify::tests::{DEAL, good_file, image};
    use crate::domain::work::tests::work;
    use crate::job::{Collected, Deal, Dealt, HubContact, JobState, Moment, Order};
    use crate::job_file::Assembly;
    use crate::job_request::HubConditions;

    pub(crate) fn job() -> Job {
        let order = Order {
            spec: work(3).spec().clone(),
            assembly: Assembly::Directory,
            price: limits(),
            hubs: HubConditions::default(),
        };
        let id = JobId::from_random(B256::repeat_byte(0xab));
        Job::new(id, PathBuf::from("/out"), order)
    }

    /// The three units of `good_file`, fetched.
    pub(crate) fn fetched_job() -> Job {
        let mut job = job();
        let mut terms = draw_up(&work(3), &quote(), &limits(), &SIGNING).unwrap();
        terms.cap = Gio::from_units(1_000);
        let content = |bytes: &[u8]| gio_content::ContentRef::of(bytes);
        let tree = good_file().tree().unwrap();
        let outputs: BTreeMap<_, _> = (0..3).map(|u| (u, content(&image(u)))).collect();
        let mut dealt = Dealt::new(Deal {
            id: DEAL,
            chain_id: 7,
            hub: HubContact {
                name: "hub".to_owned(),
                owner: quote().owner,
                wallet: terms.wallet,
                peer: "peer".to_owned(),
                addrs: vec![],
            },
            terms,
            hub_signature: Signature([7; 65]).into(),
            quote_id: "q".to_owned(),
            signed_at_block: 5,
        });
        dealt.step = Step::Fetched;
        dealt.collected = Some(Collected {
            result_root: tree.root(),
            cu_total: tree.top().sum,
            claims: content(&good_file().to_bytes()),
            outputs,
        });
        job.state = JobState::Dealt(Box::new(dealt));
        job
    }

    fn store() -> (tempfile::TempDir, JobStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = JobStore::new(dir.path().join("jobs"));
        (dir, store)
    }

    #[test]
    fn a_job_reads_back_in_every_state() {
        let (_dir, store) = store();
        let mut drafted = job();
        drafted.note(Moment::Submitted, 5);
        drafted.note(Moment::Submitted, 9);
        drafted.note(Moment::Signed, 8);
        store.save(&drafted).unwrap();
        let back = store.load(&drafted.id).unwrap();
        assert_eq!(back, drafted);
        assert_eq!(back.timings_ms()[&Moment::Signed], 3);
        let fetched = fetched_job();
        store.save(&fetched).unwrap();
        let back = store.load(&fetched.id).unwrap();
        assert_eq!(back, fetched);
        let deal = &back.dealt().unwrap().deal;
        assert_eq!(deal.hub_signature.signature().unwrap(), Signature([7; 65]));
        assert_eq!(deal.id, DealId(B256::repeat_byte(0xd)));
    }

    #[test]
    fn a_crash_while_writing_leaves_the_last_whole_record() {
        let (_dir, store) = store();
        let job = job();
        store.save(&job).unwrap();
        // What a killed process leaves: the file it was writing beside the record.
        let beside = store.folder(&job.id).join(".job.json.999.tmp");
        fs::write(&beside, b"{\"version\":1,\"id\":\"j-ab").unwrap();
        assert_eq!(store.load(&job.id).unwrap(), job);
        store.save(&fetched_job()).unwrap();
        assert_eq!(store.load(&job.id).unwrap(), fetched_job());
        assert_eq!(store.ids().unwrap(), [job.id]);
    }

    #[test]
    fn damage_and_later_versions_are_told_apart() {
        let (_dir, store) = store();
        let mut job = job();
        job.version = 2;
        store.save(&job).unwrap();
        let error = store.load(&job.id).unwrap_err();
        assert!(matches!(error, JobStoreError::Version { found: 2, .. }));
        store.write(&job.id, "job.json", b"{\"version\":1").unwrap();
        let error = store.load(&job.id).unwrap_err();
        assert!(matches!(error, JobStoreError::Damaged { .. }));
    }

    #[test]
    fn a_job_is_found_by_the_beginning_of_its_id() {
        let (_dir, store) = store();
        assert!(store.ids().unwrap().is_empty());
        let first = job();
        let mut second = job();
        second.id = "j-ab000000".parse().unwrap();
        store.save(&first).unwrap();
        store.save(&second).unwrap();
        assert_eq!(store.find("j-aba").unwrap().id, first.id);
        assert_eq!(store.find("j-ab000000").unwrap().id, second.id);
        let error = store.find("j-ab").unwrap_err();
        assert!(matches!(error, JobStoreError::Ambiguous { .. }), "{error}");
        for missing in ["", "j-ff", "j-ffffffff", "../jobs"] {
            let error = store.find(missing).unwrap_err();
            assert!(matches!(error, JobStoreError::NotFound(_)), "{missing}");
        }
    }

    #[test]
    fn one_process_drives_a_job() {
        let (_dir, store) = store();
        let id = job().id;
        let lock = store.lock(&id).unwrap();
        assert!(matches!(store.lock(&id), Err(JobStoreError::Locked(_))));
        drop(lock);
        store.lock(&id).unwrap();
    }
}
