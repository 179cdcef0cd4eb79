//! Tables as aligned text for a terminal, or as Markdown.

use std::fmt::Write;

/// Rows of cells under a header.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with only its header.
    pub fn new<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Self {
        Self { rows: vec![header.map(str::to_owned).to_vec()] }
    }

    /// A table with only its header, of as many columns as are given.
    pub fn with_header(header: impl IntoIterator<Item = String>) -> Self {
        Self { rows: vec![header.into_iter().collect()] }
    }

    /// Adds a row, as wide as the header.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Returns the same table without the columns whose cells are empty in every row but the
    /// header.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        let columns = self.rows.first().map_or(0, Vec::len);
        let is_used = |column: usize| {
            let mut cells = self.rows.iter().skip(1).filter_map(|row| row.get(column));
            cells.any(|cell| !cell.is_empty())
        };
        let used: Vec<bool> = (0..columns).map(is_used).collect();
        for row in &mut self.rows {
            let mut used = used.iter();
            row.retain(|_| used.next().copied().unwrap_or(true));
        }
        self
    }

    /// Returns the cells of the header, and those of each row.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Returns the table for a terminal: columns as wide as their widest cell.
    pub fn to_text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                // Writing to a string cannot fail.
                let _ = write!(line, "{cell:width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Returns the table as GitHub Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if number == 0 {
                let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_line_and_bars_are_escaped() {
        let mut table = Table::new(["a", "long header"]);
        table.row(["wide cell".to_owned(), "x|y".to_owned()]);
        assert_eq!(table.to_text(), "a          long header\nwide cell  x|y\n");
        assert_eq!(table.to_markdown(), "| a | long header |\n|---|---|\n| wide cell | x\\|y |\n");
    }

    #[test]
    fn columns_without_cells_go() {
        let mut table = Table::new(["a", "b", "c"]);
        table.row(["1", "", "3"].map(str::to_owned));
        table.row(["", "", "6"].map(str::to_owned));
        let rows = table.without_empty_columns().rows().to_vec();
        assert_eq!(rows, [["a", "c"], ["1", "3"], ["", "6"]]);
    }
}
