//! stub
//! stub
use anyhow::Result;
pub(crate) fn run(_: &crate::workspace::Workspace, _: bool, _: bool) -> Result<()> { Ok(()) }
