export default function HowToRead() {
  return (
    <div class="in">
      <div class="head first">
        <h1>HowToRead</h1>
      </div>
    </div>
  );
}
