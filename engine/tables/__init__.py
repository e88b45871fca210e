"""Turns answers into tables: of HTML for notebooks, of pandas, of Arrow and of Polars."""
