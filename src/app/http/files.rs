//! Files for a server whose tasks share their thread with the stack: what the kernel has in memory is opened and read in
//! place, and only what has to come from a disk goes to a thread of tokio's. A hop there and back costs more than to serve
//! a small file.

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, SeekFrom as Seek, openat2, seek};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::fs::{File, Metadata};
use std::future::{Ready, ready};
use std::io::{self, IoSliceMut, SeekFrom};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::fs;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, DefaultServeDirFallback, File as ServedFile};

/// To read, and to wait for nobody: for the writer of a pipe, for one.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// To look at.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// A folder whose files are served.
pub(super) type Folder = ServeDir<DefaultServeDirFallback, Files>;

/// The file system, as [`ServeDir`] asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Files;

impl Backend for Files {
    type File = Opened;
    type Metadata = Metadata;
    type OpenFuture = Pin<Box<dyn Future<Output = io::Result<Opened>> + Send>>;
    type MetadataFuture = Pin<Box<dyn Future<Output = io::Result<Metadata>> + Send>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        Box::pin(async move {
            let file = match open_in_place(&path, READ) {
                Some(opened) => opened?,
                None => open_elsewhere(&path).await?,
            };
            let metadata = of_a_file(file.metadata()?)?;
            Ok(Opened { metadata, file: file.into(), position: Some(0) })
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        Box::pin(async move {
            let metadata = match open_in_place(&path, LOOK) {
                Some(opened) => opened?.metadata()?,
                None => fs::metadata(&path).await?,
            };
            if metadata.is_dir() { Ok(metadata) } else { of_a_file(metadata) }
        })
    }
}

/// None when the way to the file is not in memory, or the kernel cannot say (before Linux 5.12, or where it is forbidden).
fn open_in_place(path: &Path, how: OFlags) -> Option<io::Result<File>> {
    match openat2(CWD, path, how, Mode::empty(), ResolveFlags::CACHED) {
        Ok(opened) => Some(Ok(opened.into())),
        Err(Errno::AGAIN | Errno::NOSYS | Errno::INVAL | Errno::PERM) => None,
        Err(error) => Some(Err(error.into())),
    }
}

/// Of a pipe or a device there is no end, and of a folder nothing to read.
fn of_a_file(metadata: Metadata) -> io::Result<Metadata> {
    if metadata.is_file() { Ok(metadata) } else { Err(io::ErrorKind::NotFound.into()) }
}

async fn open_elsewhere(path: &Path) -> io::Result<File> {
    let flags = READ.bits().cast_signed();
    Ok(fs::OpenOptions::new().read(true).custom_flags(flags).open(path).await?.into_std().await)
}

/// A file that is open for reading.
#[derive(Debug)]
pub(super) struct Opened {
    metadata: Metadata,
    file: fs::File,
    /// Where it is read next, as long as it is read in place.
    position: Option<u64>,
}

impl Opened {
    /// How many bytes were read; none when they are not in memory.
    fn read_in_place(&self, position: u64, into: &mut ReadBuf<'_>) -> io::Result<Option<usize>> {
        let left = self.metadata.len().saturating_sub(position).max(1);
        let room = into.remaining().min(usize::try_from(left).unwrap_or(usize::MAX));
        let place = &mut [IoSliceMut::new(into.initialize_unfilled_to(room))];
        match preadv2(self.file.as_fd(), place, position, ReadWriteFlags::NOWAIT) {
            Ok(read) => {
                into.advance(read);
                Ok(Some(read))
            }
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A part is not in memory: from here on threads read it, while the kernel reads ahead of them.
    fn read_elsewhere(&mut self, position: u64) -> io::Result<()> {
        seek(self.file.as_fd(), Seek::Start(position))?;
        self.position = None;
        Ok(())
    }
}

impl ServedFile for Opened {
    type Metadata = Metadata;
    type MetadataFuture<'a> = Ready<io::Result<Metadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.metadata.clone()))
    }
}

impl AsyncRead for Opened {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(position) = self.position {
            if let Some(read) = self.read_in_place(position, into)? {
                self.position = Some(position + read as u64);
                return Poll::Ready(Ok(()));
            }
            self.read_elsewhere(position)?;
        }
        Pin::new(&mut self.file).poll_read(cx, into)
    }
}

impl AsyncSeek for Opened {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let Some(position) = self.position else { return Pin::new(&mut self.file).start_seek(to) };
        let (from, by) = match to {
            SeekFrom::Start(start) => (start, 0),
            SeekFrom::Current(by) => (position, by),
            SeekFrom::End(by) => (self.metadata.len(), by),
        };
        self.position = Some(from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?);
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match self.position {
            Some(position) => Poll::Ready(Ok(position)),
            None => Pin::new(&mut self.file).poll_complete(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Advice, fadvise, mkfifoat};
    use tokio::io::{AsyncReadExt, AsyncSeekExt};

    fn in_a_folder(name: &str, test: impl AsyncFnOnce(&Path)) {
        let root = std::env::temp_dir().join(format!("strata-files-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(test(&root));
        std::fs::remove_dir_all(&root).expect("the folder goes");
    }

    #[test]
    fn a_file_reads_the_same_in_place_and_elsewhere() {
        let data: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        in_a_folder("same", async |root| {
            let path = root.join("data");
            std::fs::write(&path, &data).expect("a file");
            for (start, moves_at) in
                [(0, None), (0, Some(0)), (0, Some(70_000)), (1234, None), (299_999, Some(299_999))]
            {
                let mut file = Files.open(path.clone()).await.expect("it is there");
                assert_eq!(file.metadata().await.expect("known").len(), data.len() as u64);
                file.seek(SeekFrom::Start(start)).await.expect("a place in it");
                let mut read = data[..start as usize].to_vec();
                if let Some(at) = moves_at {
                    let mut part = vec![0; at - start as usize];
                    file.read_exact(&mut part).await.expect("so many bytes");
                    read.extend(part);
                    file.read_elsewhere(at as u64).expect("a place in it");
                }
                file.read_to_end(&mut read).await.expect("all of it");
                assert!(read == data, "from {start}, elsewhere from {moves_at:?}");
            }
        });
    }

    #[test]
    fn what_has_left_the_memory_is_read_all_the_same() {
        in_a_folder("cold", async |root| {
            let (path, data) = (root.join("data"), vec![42; 1 << 20]);
            std::fs::write(&path, &data).expect("a file");
            let cold = File::open(&path).expect("it is there");
            cold.sync_all().expect("on the disk");
            assert_eq!(open_in_place(&path, LOOK).is_some(), open_in_place(&path, READ).is_some());
            fadvise(&cold, 0, None, Advice::DontNeed).expect("only an advice");
            let mut read = Vec::new();
            let mut file = Files.open(path).await.expect("it is there");
            file.read_to_end(&mut read).await.expect("all of it");
            assert!(read == data);
        });
    }

    #[test]
    fn what_is_no_file_is_not_served_and_waits_for_nobody() {
        in_a_folder("none", async |root| {
            mkfifoat(CWD, root.join("pipe"), Mode::RUSR).expect("a pipe");
            for name in ["pipe", "none"] {
                assert_eq!(Files.open(root.join(name)).await.expect_err(name).kind(), io::ErrorKind::NotFound);
                assert_eq!(Files.metadata(root.join(name)).await.expect_err(name).kind(), io::ErrorKind::NotFound);
            }
            assert_eq!(Files.open(root.to_owned()).await.expect_err("a folder").kind(), io::ErrorKind::NotFound);
            assert!(Files.metadata(root.to_owned()).await.expect("it is there").is_dir());
        });
    }
}
