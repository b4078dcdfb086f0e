"""The ground floor: buyers, orders, products and the files they come from."""
