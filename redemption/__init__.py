"""What points become: coupons, and the pages a buyer sees."""
