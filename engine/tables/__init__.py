"""Converts answers to tables: HTML for notebooks, and tables of pandas, Arrow and Polars."""
